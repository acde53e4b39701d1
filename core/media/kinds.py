"""What a file is, by its own first bytes; names and declared types are only hints."""

from __future__ import annotations

from core.errors import AttachmentError

READABLE = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}
DOCUMENT = "application/pdf"
DOCUMENT = "application/pdf"
_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".webp", ".gif")
_PICTURES_NOT_READ = (b"BM", b"II*\x00", b"MM\x00*", b"\x00\x00\x01\x00", b"8BPS", b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")
_BRANDED = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis", b"heim", b"heis")


def check(data: bytes, name: str, declared_mime: str) -> str:
    """The MIME type of an image that can be read: PNG, JPEG, WEBP or GIF.

    Raises AttachmentError: `corrupt` for nothing or a first part too short, `not_an_image` for what never claimed to
    be such an image or is a picture of another kind (HEIC, TIFF, SVG) or a document, `disguised` for what claims to be
    an image or a document and is not.
    """
    if mime := mime_of(data):
        return mime
    claims = _declared(declared_mime) in READABLE or name.lower().endswith(_SUFFIXES)
    claims = claims or (claims_document(name, declared_mime) and not is_document(data))
    if claims and len(data) < 12:
        raise AttachmentError("corrupt", name)
    if not claims or _other_picture(data):
        raise AttachmentError("not_an_image", name)
    raise AttachmentError("disguised", name)


def is_document(data: bytes) -> bool:
    """Whether it is a PDF: readers take its mark anywhere in the first kilobyte, as writers put things before it."""
    return mime_of(data) is None and b"%PDF-" in data[:1024]


def claims_document(name: str, declared_mime: str) -> bool:
    """Whether a file that nobody has read yet says that it is a PDF."""
    return _declared(declared_mime) == DOCUMENT or name.lower().endswith(".pdf")


def _declared(mime: str) -> str:
    return mime.partition(";")[0].strip().lower()


def mime_of(data: bytes) -> str | None:
    """The MIME type that the first bytes tell of: one of `READABLE`, or None."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def _other_picture(data: bytes) -> bool:
    if data.startswith(_PICTURES_NOT_READ) or (data[4:8] == b"ftyp" and data[8:12] in _BRANDED):
        return True
    return b"<svg" in data[:1024].lower() and b"<html" not in data[:1024].lower()
