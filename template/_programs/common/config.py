"""Every number of the model and of its training: the `full` preset, and `tiny` for laptops."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from .checks import check_model
from .refusals import require

TINY = {
    "steps": 200,
    "global_batch": 16,
    "micro_batch": 16,
    "learning_rate": 0.002,
    "min_learning_rate": 0.0002,
    "warmup_steps": 20,
    "run_dir": "runs/tiny",
    "log_interval": 20,
    "eval_interval": 100,
    "eval_samples": 64,
    "checkpoint_interval": 100,
}


@dataclass(frozen=True)
class Config:
    """The full preset; `Config.tiny()` keeps its topology at a size for tests."""

    # model
    init_std: float = 0.02
    """Standard deviation of the initial weights."""

    # data
    val_fraction: float = 0.05
    """Share of the data that is held out."""

    # optimisation
    steps: int = 100_000
    """Optimizer steps."""
    global_batch: int = 256
    """Samples of an optimizer step, over all processes and accumulation passes."""
    micro_batch: int = 8
    """Samples of one forward pass of one process."""
    learning_rate: float = 6e-4
    """Peak learning rate, reached after the warm-up."""
    min_learning_rate: float = 6e-5
    """Learning rate at the end of the cosine."""
    warmup_steps: int = 1_000
    """Steps of linear warm-up."""
    weight_decay: float = 0.1
    """Decoupled weight decay of the matrices; vectors have none."""
    beta1: float = 0.9
    """AdamW's decay of the gradient mean."""
    beta2: float = 0.95
    """AdamW's decay of the gradient variance."""
    grad_clip: float = 1.0
    """Largest gradient norm; 0 switches clipping off."""

    # run
    run_dir: str = "runs/full"
    """Folder of checkpoints, logs and prepared data."""
    seed: int = 42
    """Seed of the weights, of the data and of the held-out split."""
    device: str = "auto"
    """auto, cpu, cuda or mps; auto takes a GPU where there is one."""
    precision: str = "auto"
    """auto, fp32 or bf16; auto takes bf16 on GPUs."""
    parallel: str = "ddp"
    """Under torchrun: ddp (replicas) or fsdp (sharded parameters, gradients and optimizer)."""
    compile: bool = False
    """Compile the training step with torch.compile."""
    activation_checkpointing: bool = False
    """Recompute each block's activations in the backward pass, to save memory."""
    log_interval: int = 10
    """Steps between two lines of the log."""
    eval_interval: int = 1_000
    """Steps between two evaluations on held-out data."""
    eval_samples: int = 256
    """Held-out samples of an evaluation during training."""
    checkpoint_interval: int = 1_000
    """Steps between two checkpoints."""

    def __post_init__(self) -> None:
        check(self)

    @classmethod
    def full(cls, **overrides) -> Config:
        """The model that the blueprint describes."""
        return cls(**overrides)

    @classmethod
    def tiny(cls, **overrides) -> Config:
        """The same topology, small enough to train on two CPU cores in under a minute."""
        return cls(**{**TINY, **overrides})

    @classmethod
    def preset(cls, name: str, **overrides) -> Config:
        """`full` or `tiny`, by name."""
        return {"full": cls.full, "tiny": cls.tiny}[name](**overrides)

    @classmethod
    def load(cls, path: str | Path) -> Config:
        """Read a saved configuration; raise `ValueError` for keys that no longer exist."""
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"{path}: unknown settings: {', '.join(unknown)}")
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**values | lists)

    def save(self, path: str | Path) -> None:
        """Write every setting as JSON."""
        Path(path).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def check(config: Config) -> None:
    """Raise `ValueError` for settings that do not fit together, naming their flags."""
    for field in fields(config):
        value = getattr(config, field.name)
        if config.hybrid and field.name.endswith("_offset"):
            continue
        if field.type == "int" and value < 1 and field.name not in ("seed", "warmup_steps"):
            raise ValueError(f"--{field.name.replace('_', '-')} is {value}; it must be at least 1")
    check_model(config)
    require(0 < config.val_fraction < 1, "--val-fraction must lie between 0 and 1")
    require(
        config.global_batch % config.micro_batch == 0,
        "--global-batch must be a multiple of --micro-batch",
    )
    require(config.warmup_steps <= config.steps, "--warmup-steps is above --steps")
    require(
        0 <= config.min_learning_rate <= config.learning_rate,
        "--min-learning-rate must lie between 0 and --learning-rate",
    )
    require(config.seed >= 0, "--seed must be at least 0")
    require(config.precision in ("auto", "fp32", "bf16"), "--precision takes auto, fp32 or bf16")
    require(config.parallel in ("ddp", "fsdp"), "--parallel takes ddp or fsdp")
