"""Ask a trained model about pictures.

    python -m PACKAGE.infer --image cat.jpg --question "what is this?"

Reads the newest checkpoint of `--run-dir` (default: of the run saved last). Without `--image` it
answers about held-out pictures. Writes questions and answers to `results/answers.txt` and the
pictures with them to `results/answers.png`. Before any training it asks the untrained tiny model.
"""

import argparse

from .data import Corpus, load_picture, prepare
from .eval import answer
from .pictures import contact_sheet, to_picture, to_tensor
from .results import RESULTS
from .runs import load_run, run_parser
from .samples import DESCRIBE, question_of


def ask(args: argparse.Namespace) -> tuple[Corpus, list[dict[str, str]], list[str], str]:
    """The corpus, the samples asked about, the answers, and a line on where they come from."""
    config, model, _, origin = load_run(args)
    prepare(config)
    corpus = Corpus(config)
    if args.image:
        question = args.question or DESCRIBE
        samples = [{"image": name, "question": question, "text": ""} for name in args.image]
    else:
        samples = corpus.val[: args.count]
        if args.question:
            samples = [{**sample, "question": args.question, "text": ""} for sample in samples]
    return corpus, samples, answer(model, corpus, samples, args.max_new_tokens), origin


def report(samples: list[dict[str, str]], answers: list[str]) -> str:
    """Pictures, questions and answers, the reference beside an answer where there is one."""
    blocks = []
    for sample, said in zip(samples, answers, strict=True):
        lines = [sample["image"], f"  Q: {question_of(sample)}", f"  A: {said}"]
        if sample["text"]:
            lines.append(f"  reference: {sample['text']}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def main() -> None:
    """Read the flags, ask, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--image", action="append", help="a picture file; may be repeated")
    parser.add_argument("--question", help="what to ask; without it, that of the data")
    parser.add_argument("--count", type=int, default=12, help="held-out pictures to ask about")
    parser.add_argument("--max-new-tokens", type=int, default=32, help="tokens of an answer")
    try:
        corpus, samples, answers, origin = ask(parser.parse_args())
    except (ValueError, OSError) as error:
        parser.exit(2, f"error: {error}\n")
    RESULTS.mkdir(exist_ok=True)
    text, path = report(samples, answers), RESULTS / "answers.txt"
    path.write_text(f"[{origin}]\n\n{text}\n", encoding="utf-8")
    images = [load_picture(sample["image"], corpus.config) for sample in samples]
    captions = [
        f"{question_of(sample)} {said}" for sample, said in zip(samples, answers, strict=True)
    ]
    sheet = contact_sheet(map(to_picture, to_tensor(images)), captions, columns=4, side=192)
    sheet.save(RESULTS / "answers.png")
    print(f"{text}\n\n[{origin}]\nwrote {path} and {RESULTS / 'answers.png'}")


if __name__ == "__main__":
    main()
