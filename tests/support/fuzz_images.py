"""Hostile pictures."""

import io
import struct
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from fuzz_files import damaged
from PIL import Image

SIZE = (24, 20)
"""Width and height of the valid ones."""


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """Noise in a mode of Pillow's."""
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    if mode in ("I;16", "I", "F"):
        return Image.fromarray(noise[..., 0].astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    return Image.fromarray(noise).convert(mode)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, data: bytes = b"", depth: int = 8, colour: int = 2, extra: bytes = b"") -> bytes:
    """A PNG whose header says what it likes."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@cache
def zeros(count: int) -> bytes:
    """So many zeros, deflated."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(count >> 20)) + packer.flush()


def tiff(**tags: int) -> bytes:
    """A TIFF of one strip, tags by their names below."""
    numbers = {
        "width": 256,
        "height": 257,
        "bits": 258,
        "compression": 259,
        "photometric": 262,
        "offset": 273,
        "samples": 277,
        "rows": 278,
        "count": 279,
    }
    values = {
        "width": 4,
        "height": 4,
        "bits": 8,
        "compression": 1,
        "photometric": 1,
        "offset": 8,
        "samples": 1,
        "rows": 4,
        "count": 16,
    } | tags
    entries = b"".join(
        struct.pack("<HHII", numbers[name], 4, 1, value % 2**32)
        for name, value in sorted(values.items(), key=lambda item: numbers[item[0]])
    )
    return b"II*\0" + struct.pack("<I", 24) + bytes(16) + struct.pack("<H", len(values)) + entries + bytes(4)


def exif(orientation: int) -> bytes:
    image = picture()
    tags = image.getexif()
    tags[0x0112] = orientation
    return encoded(image, "JPEG", exif=tags)


@cache
def pictures() -> Mapping[str, bytes]:
    """All of them by name."""
    found: dict[str, bytes] = {
        f"{kind} {mode}": encoded(picture(mode), kind)
        for kind, modes in {
            "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
            "JPEG": ("L", "RGB", "CMYK"),
            "TIFF": ("1", "L", "P", "RGB", "RGBA", "CMYK", "LAB", "YCbCr", "I;16", "I", "F"),
            "BMP": ("1", "L", "P", "RGB"),
            "GIF": ("P",),
            "WEBP": ("RGB", "RGBA"),
            "PPM": ("L", "RGB", "I;16"),
            "EPS": ("RGB",),
            "PDF": ("RGB",),
            "ICO": ("RGB",),
            "TGA": ("RGB",),
            "PCX": ("RGB",),
            "SGI": ("RGB",),
        }.items()
        for mode in modes
    }
    found |= {f"EXIF orientation {turn}": exif(turn) for turn in (3, 6, 8, 99)}
    found |= {
        "palette with transparency": encoded(picture("P"), "PNG", transparency=bytes(range(256))),
        "animation": encoded(picture(), "PNG", save_all=True, append_images=[picture()] * 3),
        "zero width": png(0, 4),
        "zero height": png(4, 0),
        "largest size": png(2**31 - 1, 2**31 - 1),
        "bomb of 100 million pixels": png(10_000, 10_000, zeros(1 << 20)),
        "bomb of 400 million pixels": png(20_000, 20_000, zeros(1 << 20)),
        "long and thin": png(100_000_000, 1, zeros(1 << 20)),
        "header that promises more": png(4000, 4000, zlib.compress(bytes(100))),
        "unknown depth": png(4, 4, zlib.compress(bytes(100)), depth=3),
        "text bomb": png(4, 4, zlib.compress(bytes(52)), extra=chunk(b"zTXt", b"a\0\0" + zeros(64 << 20))),
        "profile bomb": png(4, 4, zlib.compress(bytes(52)), extra=chunk(b"iCCP", b"a\0\0" + zeros(64 << 20))),
        "16 bit and alpha": png(2, 2, zlib.compress(bytes(2 * 17)), depth=16, colour=6),
        "PPM of billions": b"P6 2000000000 2000000000 255\n",
        "PPM with letters": b"P6 a b c\n",
        "PPM of 1 level": b"P5 2 2 1\n\0\1\0\1",
        "EPS with a program": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) run\n",
        "SVG": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "OpenEXR": b"\x76\x2f\x31\x01" + bytes(400),
        "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(99),
        "AVIF": b"\0\0\0\x20ftypavif" + bytes(99),
        "TIFF": tiff(),
        "TIFF of billions": tiff(width=2**31, height=2**31),
        "TIFF of no samples": tiff(samples=0),
        "TIFF of 65535 samples": tiff(samples=65535),
        "TIFF of 3 bits": tiff(bits=3),
        "TIFF of an unknown compression": tiff(compression=99),
        "TIFF compressed, but not": tiff(compression=5),
        "TIFF that points nowhere": tiff(offset=2**31, count=2**31),
        "TIFF of no rows": tiff(rows=0),
        "TIFF of zero width": tiff(width=0),
        "TIFF whose directory is itself": b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
        "BMP of billions": b"BM"
        + struct.pack("<IHHIIiiHHIIIIII", 54, 0, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 1, 1, 0, 0),
        "GIF of 65535": b"GIF89a"
        + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
        + b",\0\0\0\0\xff\xff\xff\xff\0\x08\0;",
        "WebP of nothing": b"RIFF\x10\0\0\0WEBPVP8L" + bytes(12),
    }
    for kind, options in {"PNG": {}, "JPEG": {}, "TIFF": {"compression": "tiff_lzw"}, "BMP": {}, "WEBP": {}}.items():
        found |= {f"{kind} {name}": content for name, content in damaged(encoded(picture(), kind, **options)).items()}
    return found
