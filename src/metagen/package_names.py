"""Names for the generated Python package: which are free, and one made from a model's name."""

from __future__ import annotations

import keyword
import unicodedata

_OURS = frozenset(
    """
    benchmarks blueprint build conftest datasets docs gymnasium hatchling matplotlib numpy paper pip
    pytest results ruff safetensors setup setuptools tensorboard tests tokenizers torch torchvision
    tqdm transformers yaml
    """.split()
)

# What those import in turn, and would find in `code/` first.
_THEIRS = frozenset(
    """
    absl aiohttp anyio attr attrs certifi click cloudpickle colorama contourpy cycler dateutil dill
    editables exceptiongroup filelock fsspec functorch google grpc h11 httpcore httpx
    huggingface_hub idna iniconfig jinja2 kiwisolver markdown markupsafe mpl_toolkits mpmath
    multiprocess networkx packaging pandas pathspec pluggy psutil py pyarrow pygments pylab
    pyparsing pytz requests shellingham six sniffio sympy tomli torchgen triton trove_classifiers
    typer typing_extensions tzdata urllib3 werkzeug xxhash yarl
    """.split()
)

_WINDOWS_DEVICES = frozenset(
    ["aux", "con", "nul", "prn", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))]
)

# Every public module of CPython 3.11 to 3.14: the interpreter's own list depends on its version,
# and the name that a specification gets must not.
STANDARD_LIBRARY = frozenset(
    """
    abc aifc annotationlib antigravity argparse array ast asynchat asyncio asyncore atexit audioop
    base64 bdb binascii bisect builtins bz2 cProfile calendar cgi cgitb chunk cmath cmd code
    codecs codeop collections colorsys compileall compression concurrent configparser contextlib
    contextvars copy copyreg crypt csv ctypes curses dataclasses datetime dbm decimal difflib dis
    distutils doctest email encodings ensurepip enum errno faulthandler fcntl filecmp fileinput
    fnmatch fractions ftplib functools gc genericpath getopt getpass gettext glob graphlib grp
    gzip hashlib heapq hmac html http idlelib imaplib imghdr imp importlib inspect io ipaddress
    itertools json keyword lib2to3 linecache locale logging lzma mailbox mailcap marshal math
    mimetypes mmap modulefinder msilib msvcrt multiprocessing netrc nis nntplib nt ntpath
    nturl2path numbers opcode operator optparse os ossaudiodev pathlib pdb pickle pickletools
    pipes pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty pwd
    py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib resource
    rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site smtpd smtplib
    sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl stat
    statistics string stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny
    tarfile telnetlib tempfile termios textwrap this threading time timeit tkinter token tokenize
    tomllib trace traceback tracemalloc tty turtle turtledemo types typing unicodedata unittest
    urllib uu uuid venv warnings wave weakref webbrowser winreg winsound wsgiref xdrlib xml xmlrpc
    zipapp zipfile zipimport zlib zoneinfo
    """.split()
)


def package_from(name: str) -> str:
    """A free package name made from a model's name."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = "".join(c.lower() if c.isalnum() else " " for c in ascii_name).split()
    package = "_".join(words)[:40].strip("_") or "model"
    if package[0].isdigit():
        package = f"model_{package}"
    return f"{package}_model" if package_problem(package) else package


def package_problem(package: str) -> str:
    """What is wrong with a package name; empty when nothing is."""
    if not (package.isascii() and package.isidentifier() and package == package.lower()):
        return "use lowercase letters, digits and _, starting with a letter"
    if package.startswith("_") or len(package) > 60:
        return "start with a letter and use at most 60 characters"
    if is_device(package):
        return f'"{package}" is a device on Windows; try "{package}_model"'
    if keyword.iskeyword(package) or package in STANDARD_LIBRARY | _OURS | _THEIRS:
        return f'"{package}" would hide another module; try "{package}_model"'
    return ""


def is_device(file_name: str) -> bool:
    """Whether Windows takes a file of this name for a device, whatever its extension."""
    return file_name.partition(".")[0].rstrip().lower() in _WINDOWS_DEVICES
