"""The dashboard under attack: is what visitors bring or name refused in a line, and nothing else read or written?"""

import io
import pickle
import struct
import time
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from PIL import Image

import kcnn
from kcnn.recipe import Recipe
from kcnn.resources import folder
from tests.apps import button, open_page, shown_code, text, well, widget
from tests.test_safety_archives import HARMLESS, HOSTILE, zipped

MEBIBYTE = 2**20


class Upload(io.BytesIO):
    """What Streamlit gives a page for a file that a visitor brought."""

    def __init__(self, name, content=b"", size=None):
        super().__init__(content)
        self.name, self.size = name, len(content) if size is None else size


@pytest.fixture(scope="module")
def widgets():
    """The dashboard's own modules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder("apps")))
        from app_widgets import asking, door, places, uploads, words

        yield SimpleNamespace(asking=asking, door=door, places=places, uploads=uploads, words=words)


@pytest.fixture(scope="module")
def site(tmp_path_factory, widgets):
    """The folder in which a dashboard, with a helper of its own, has its runs, data and cache; and what is beside."""
    root = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        for variable, name in (("KCNN_RUNS", "runs"), ("KCNN_APP_DATA", "data"), ("KCNN_CACHE", "cache")):
            (root / name).mkdir()
            patch.setenv(variable, str(root / name))
        patch.delenv("KCNN_APP_PASSWORD", raising=False)
        (root / "outside" / "cats").mkdir(parents=True)
        (root / "outside" / "list.csv").write_text("name,reason\na,b\n")
        (root / "data" / "way").symlink_to(root / "outside")
        (root / "data" / "circle").symlink_to(root / "data" / "circle")
        st.cache_resource.clear()
        yield root
        for long in (False, True):
            widgets.asking.helper(long).close()
        st.cache_resource.clear()


def tree(root):
    """{path: what is there} of all that lies below `root` but in the folders that a dashboard may write to."""
    inside = [path for path in root.rglob("*") if path.relative_to(root).parts[0] not in ("runs", "cache")]
    return {str(path): path.read_bytes() if path.is_file() else None for path in inside}


def told(page):
    """The one mistake that a page tells, without Markdown's backslashes."""
    assert not page.exception, [one.message for one in page.exception]
    assert len(page.error) == 1
    assert "\n" not in page.error[0].value
    return page.error[0].value.replace("\\", "")


def encoded(kind, size=(8, 8)):
    content = io.BytesIO()
    Image.new("RGB", size).save(content, kind)
    return content.getvalue()


def png_of(width, height):
    """A PNG that says it has so many pixels and has none."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [header, b"IDAT" + zlib.compress(b""), b"IEND"]
    packed = [struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one)) for one in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


# ---- pictures ----------------------------------------------------------------------------------------------------

NO_PICTURES = {
    "text": b"just words",
    "html": b"<!doctype html><script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "pdf": b"%PDF-1.7\n1 0 obj",
    "pickle": pickle.dumps({"a": np.zeros(3)}),
    "nothing": b"",
    "cut header": encoded("PNG")[:20],
    "tiff": encoded("TIFF"),
    "zip": zipped(("a.png", encoded("PNG"))),
}


@pytest.mark.parametrize("kind", NO_PICTURES)
def test_what_is_no_picture_is_refused_by_its_content(widgets, kind):
    with pytest.raises(kcnn.UserError, match="x.png is no picture; give JPEG, PNG, GIF, BMP or WebP"):
        widgets.uploads.picture(Upload("x.png", NO_PICTURES[kind]))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_a_picture_is_one_whatever_its_name_says(widgets, kind):
    assert widgets.uploads.picture(Upload("x.exe", encoded(kind))) == encoded(kind)


def test_pictures_of_too_many_pixels_or_bytes_are_refused_unread(widgets):
    for width, height in ((30_000, 30_000), (100_000, 1001), (2**31 - 1, 2**31 - 1)):
        with pytest.raises(kcnn.UserError, match="x.png has .*pixels; at most 100,000,000 are read"):
            widgets.uploads.picture(Upload("x.png", png_of(width, height)))
    with pytest.raises(kcnn.UserError, match="210,763,776 bytes; a picture may have 20,971,520"):
        widgets.uploads.picture(Upload("x.png", size=201 * MEBIBYTE))


def test_damaged_pictures_are_taken_or_refused_in_a_line(widgets, rng):
    for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP"):
        whole = encoded(kind)
        for _ in range(100):
            damaged = bytearray(whole)
            for place in rng.integers(0, min(len(whole), 80), 3):
                damaged[place] = rng.integers(256)
            try:
                widgets.uploads.picture(Upload("x", bytes(damaged)))
            except kcnn.UserError as error:
                assert "\n" not in str(error)


@pytest.mark.parametrize(
    "name", ["../../x.png", "C:\\x", "a\n# b\n- c", "[x](http://evil) `a` :red[b] $x$", "n" * 5000]
)
def test_names_of_uploads_are_shown_as_text_on_one_line(widgets, name):
    with pytest.raises(kcnn.UserError) as refused:
        widgets.uploads.picture(Upload(name, b"text"))
    shown = widgets.words.plain(refused.value)
    assert "\n" not in shown and len(shown) < 400
    for place, character in enumerate(shown):
        if character in "`[]#$:<>*_|":
            assert shown[place - 1] == "\\"


# ---- archives ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def brought(site):
    """{archive: what the page Data tells after it was uploaded and checked}; what lay outside before, and after."""
    before, said = tree(site), {}
    page = open_page("data")
    for name, made in {**{name: made for name, (made, _) in HOSTILE.items()}, **HARMLESS}.items():
        page.session_state["checked"] = None
        page.file_uploader[0].set_value((name, made(), "application/zip")).run()
        if not page.error:
            assert "uploads" in widget(page.text_input, "Source").value
            button(page, "Check this data").click().run()
        said[name] = told(page)
    return said, before, tree(site)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_are_refused_in_a_line(brought, name):
    rule = "is no archive; give a .zip or .tar" if name == "no archive.zip" else HOSTILE[name][1]
    assert rule in brought[0][name]


@pytest.mark.parametrize("name", HARMLESS)
def test_archives_without_pictures_are_refused_in_a_line(brought, name):
    assert "pictures" in brought[0][name]


def test_archives_leave_nothing_beside_the_dashboards_folders(brought, site):
    _, before, after = brought
    assert before == after
    kept = list((site / "cache" / "uploads").iterdir())
    assert kept and all(len(one.name) == 24 and len(list(one.iterdir())) == 1 for one in kept)
    assert {one.parent.name for one in (site / "cache").rglob(".unpacking-*")} == set()


@pytest.mark.parametrize(
    "name", ["../../x.zip", "C:\\x.zip", "a\nb.zip", "a\0b.zip", "..", "", "n" * 5000, ".zip", "ü/é.zip"]
)
def test_archives_are_kept_once_under_names_of_our_own(widgets, site, name):
    content = zipped(("a/b.png", encoded("PNG")), (f"{len(name)}", b""))
    path = widgets.uploads.kept_archive(Upload(name, content))
    kept = site / "cache" / "uploads"
    place = next(one for one in kept.rglob("*.zip") if str(one) == path)
    assert place.parent.parent == kept and place.read_bytes() == content and place.stem.isidentifier() or len(name) < 2
    assert widgets.uploads.kept_archive(Upload("another name.tar", content)) == path


def test_archives_that_are_too_large_or_too_many_are_refused(widgets, site, monkeypatch):
    uploads, content = widgets.uploads, zipped(("other", b"x"))
    with pytest.raises(kcnn.UserError, match="x.zip has 210,763,776 bytes; an archive may have 209,715,200"):
        uploads.kept_archive(Upload("x.zip", size=201 * MEBIBYTE))
    before = sorted((site / "cache" / "uploads").rglob("*.*"))
    monkeypatch.setattr(uploads, "UPLOADS_BYTES", 10)
    with pytest.raises(kcnn.UserError, match="take .* bytes of 10; delete those that no training needs"):
        uploads.kept_archive(Upload("x.zip", content))
    monkeypatch.setattr(uploads.shutil, "disk_usage", lambda path: SimpleNamespace(free=2**20))
    with pytest.raises(kcnn.UserError, match="the disk has 1,048,576 bytes free, too few .* free space"):
        uploads.kept_archive(Upload("x.zip", content))
    assert sorted((site / "cache" / "uploads").rglob("*.*")) == before


def test_a_cache_that_cannot_be_written_is_said_in_a_line(widgets, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KCNN_CACHE", str(tmp_path / "file"))
    with pytest.raises(kcnn.UserError, match="the archive cannot be kept in .*: Not a directory"):
        widgets.uploads.kept_archive(Upload("x.zip", zipped(("a", b"b"))))


# ---- addresses ---------------------------------------------------------------------------------------------------

OUTSIDE = ["/etc", "..", "../..", "data/../../etc", "{site}/outside", "{site}/data/way", "{site}/data/way/cats",
           "{site}/data/../outside", "{site}/data/circle", "{site}", "{site}/cache/uploads", "{site}/cache/archives",
           "{site}/cache/checks", "tfds:../x", "tfds:mnist/..", "tfds:mnist/data_dir=/etc", "tfds:mnist:..",
           "tfds:huggingface:mnist", "tfds:kaggle:x/y", "builtin:../x", "gs://bucket/x", "http://evil/x.csv",
           "file:///etc/passwd", "a\0b", " {site}/outside", "~/x/../../..", "Imagenet:x"]  # fmt: skip


@pytest.fixture
def unasked(monkeypatch, site):
    """Fails where the helper is asked for anything that reads data."""
    real, allowed = kcnn.Helper.ask, ("list_heads", "list_names", "sketch_learning_rate")
    monkeypatch.chdir(site / "data")

    def ask(self, verb, *args, **options):
        assert verb in allowed, f"{verb} was asked"
        return real(self, verb, *args, **options)

    monkeypatch.setattr(kcnn.Helper, "ask", ask)


@pytest.mark.parametrize("address", OUTSIDE)
def test_addresses_outside_of_the_roots_are_refused(widgets, site, monkeypatch, address):
    monkeypatch.chdir(site / "data")
    address = address.format(site=site)
    for place in ("data.source", "data.quarantine", "model.weights"):
        with pytest.raises(kcnn.UserError, match="is not below .*start the dashboard with --data FOLDER"):
            widgets.places.checked_recipe(Recipe().override({place: address}))


@pytest.mark.parametrize("name", ["data", "augment", "train"])
@pytest.mark.parametrize("place", ["data.source", "data.quarantine", "model.weights"])
def test_pages_refuse_them_before_anything_is_read(site, unasked, name, place):
    for address in ("/etc", "{site}/data/way/list.csv", "tfds:../x", "a\0b"):
        page = open_page(name, draft={place: address.format(site=site)}, checked=address)
        assert "is not below" in told(page) and str(site / "data") in told(page)


def test_addresses_below_the_roots_are_taken(widgets, site, monkeypatch):
    monkeypatch.chdir(site / "data")
    paths = [".", "photos", "a/../b.csv", f"{site}/data/x.zip", f"{site}/runs/done-1"]
    names = ["imagenet", "builtin:digits", "tfds:mnist", "tfds:cats_vs_dogs:4.0.1", "tfds:a_b/top-images:3.*.*"]
    for address in (*paths, *names):
        assert widgets.places.checked(address) == address


def test_what_visitors_brought_is_named_by_nobody_else(widgets, site, monkeypatch):
    monkeypatch.setenv("KCNN_APP_DATA", str(site))
    content = zipped(("a/list.csv", b"image,label\n/etc/x.png,a\n"), ("a/best.safetensors", b""))
    upload = widgets.uploads.kept_archive(Upload("x.zip", content))
    archives = site / "cache" / "archives" / "0"
    archives.mkdir(parents=True)
    (archives / "list.csv").write_bytes(b"image,label\n/etc/x.png,a\n")
    quarantine = widgets.places.scratch("findings", "x") / "quarantine.csv"
    quarantine.write_text("name,reason\n")
    taken = {"data.source": upload, "data.quarantine": str(quarantine)}
    for place in ("data.source", "data.quarantine", "model.weights"):
        for address in (upload, str(quarantine), str(archives), str(archives / "list.csv")):
            recipe = Recipe().override({place: address})
            if taken.get(place) == address:
                assert widgets.places.checked_recipe(recipe) == recipe
            else:
                with pytest.raises(kcnn.UserError, match="is not below"):
                    widgets.places.checked_recipe(recipe)


# ---- names and texts ---------------------------------------------------------------------------------------------


def test_a_run_named_in_the_address_is_one_that_is_there(site):
    for name in ("../outside", "/etc", "no such"):
        page = open_page("runs", run=name)
        assert "No run yet" in well(page).info[0].value
        page.query_params["run"] = name
        assert "No run yet" in well(page.run()).info[0].value


def test_commands_to_copy_are_quoted(site):
    source = f"{site}/data/a; touch x"
    (site / "data" / "a; touch x").mkdir()
    assert f"kcnn check '{source}'" in shown_code(open_page("data", draft={"data.source": source}))["bash"]


def test_hostile_class_names_are_text_on_the_page(site):
    names = ["![x](http://evil)", "<script>alert(1)</script>", "[a](javascript:b)", "`| a | b"]
    rng = np.random.default_rng(0)
    for name in names:
        for i in range(3):
            place = site / "data" / "odd" / name.replace("/", "⁄") / f"{i} [y](http:⁄⁄evil).png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (20, 20, 3), np.uint8)).save(place, "PNG")
    page = open_page("data", draft={"data.source": str(site / "data" / "odd")})
    page = well(button(page, "Check this data").click().run())
    assert "script" in text(page)
    for block in (*page.markdown, *page.caption):
        assert "](http" not in block.value.replace("\\]", "") and not block.allow_html
        assert "](javascript" not in block.value.replace("\\]", "") and "<script" not in block.value.replace("\\<", "")


def test_text_is_plain_on_one_line(widgets):
    assert widgets.words.plain("a\n\n# b\t[c](d)") == "a \\# b \\[c\\](d)"
    assert widgets.words.code("a`\n`b") == "`a' 'b`"


def test_deep_toml_is_a_mistake_and_no_bug(site):
    page = open_page("train")
    page.button_group[0].set_value("Full").run()
    widget(page.text_input, "Overrides").set_value("[" * 20_000).run()
    assert "recipe key model.overrides: input should be a valid dictionary" in told(page) and len(told(page)) < 2000


def test_long_answers_are_marked_without_being_written_out(widgets):
    mark = widgets.places.mark
    content = bytes(2**20)
    assert mark((content, {"a": [content]})) == mark((bytes(2**20), {"a": [bytes(2**20)]}))
    assert len({mark(content), mark(content[:-1]), mark([content]), mark(("a", content)), mark("a")}) == 5


# ---- the door ----------------------------------------------------------------------------------------------------


def test_nothing_is_shown_before_the_password(site, widgets, monkeypatch):
    monkeypatch.setenv("KCNN_APP_PASSWORD", "correct horse")
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    page = open_page("data")
    for given in ("", "wrong", "correct hors", "Correct horse", "ünïcode"):
        assert [one.label for one in page.text_input] == ["Password"] and not page.file_uploader and not page.markdown
        page.text_input[0].set_value(given)
        page.button[0].click().run()
        assert told(page) == "That is not the password."
    assert waited.count(widgets.door.PAUSE) == 5
    page.text_input[0].set_value("correct horse")
    page.button[0].click().run()
    assert widget(page.text_input, "Source") and not page.error


def test_a_dashboard_without_password_asks_for_none(site, monkeypatch):
    monkeypatch.setenv("KCNN_APP_PASSWORD", "")
    assert widget(well(open_page("data")).text_input, "Source")


def test_a_bug_shows_nothing_of_itself(site, widgets, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("the secret is at /srv/secret")

    monkeypatch.setattr(kcnn.Helper, "ask", lambda self, *_, **__: SimpleNamespace(done=lambda: True, result=fail))
    monkeypatch.setattr(widgets.asking, "wait", lambda *_: None)
    page = open_page("architectures", **{"a visitor": "who asks first"})
    assert "kcnn failed at this; the terminal" in page.error[0].value
    assert "secret" not in repr(page.main) and not page.exception
