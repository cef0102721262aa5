"""Texts that tokenizers disagree on: every corner of Unicode, and what interacts there."""

import random

def code_points():
    return [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


SENTENCES = [
    "The quick brown fox jumps over the lazy dog. Don't panic; it's 3.14159% — or so!",
    "Größenmaßstäbe, naïve café, Ångström, Æsop, Œuvre, İstanbul, ıspanak, STRASSE ẞ ß",
    "Ελληνικά ΟΔΥΣΣΕΎΣ ὈΔΥΣΣΕΎΣ ᾈΔΗΣ ΐ ΰ", "Русский ЁЖИК йод Ѐ ѝ", "Հայերեն և ﬓ", "ქართული ᲥᲐᲠᲗᲣᲚᲘ",
    "שָׁלוֹם עוֹלָם", "السَّلَامُ عَلَيْكُمْ لَا إِلٰهَ", "हिन्दी क़ ज़ में ऩमस्ते",
    "বাংলা ড় ঢ় য়", "ਪੰਜਾਬੀ ਸ਼", "தமிழ் கொ", "తెలుగు", "ಕನ್ನಡ ೊ", "മലയാളം", "සිංහල ේ",
    "ภาษาไทย กำ น้ำ", "ພາສາລາວ ໃຫຍ່", "བོད་སྐད གྷ ཱི", "မြန်မာ ဦ", "ភាសាខ្មែរ", "ᠮᠣᠩᠭᠣᠯ", "አማርኛ ።",
    "ᏣᎳᎩ ꮳꮃꭹ", "中文字符測試。，！", "日本語のテキスト、カタカナ ガギグ ﾊﾟ パ が", "한국어 조선글 값을 각",
    "豈更車 丽 \U0002f800 \U00020000\U0002a700", "Việt Nam ượng Ặ ộ", "ꙮ 𝐀𝐁𝐂 𝒜 Ａｂｃ １２３ ² ½ ﬁ ﬃ Ⅷ ㍿",
    "𐐀𐐁 𐒰 𞤀 Ა",
]

COMBINING = [
    "e\u0301", "a\u0323\u0307", "a\u0307\u0323", "q\u0307\u0323\u0315\u0300",
    "\u1e69 \u1e0b\u0323 \u0344 \u0343", "\u0041\u030a \u212b \u2126 \u1f82\u0345",
    "\u302e\u302f가\u302e\u0323 각\u302f\u0301", "\U0001d15e\U0001d165\U0001d16d\U0001d15f\U0001d160",
    "\u05e9\u05bc\u05c1 \ufb2c \ufb1d \u05b0\u05bc\u0591",
    "\u0f71\u0f72\u0f74 \u0f73\u0f75\u0f81 \u0f77\u0f79", "\u0300abc \u0301 \u0327",
    "\u1100\u1161\u11a8 \uac00\u11a8 \u1112\u1161\u11ab \ua960\ud7b0\ud7fb",
    "é\u0323\u302a\u0300ö\u0330\u302e x\u302e\u0301\u302f\u1dce",
    "\u0cc6\u0cc2\u0cd5 \u0dd9\u0dcf\u0dca \u09c7\u09be \u1b05\u1b35",
    "à\u05ae\u0300\u0315b à\u0315\u0300\u05ae\u0062", "o\u031b\u0323 o\u0323\u031b ợ",
    "\u0958\u093c \u0928\u093c \u0344\u0323 \u0344\u302e x\u0344\u302e\u0345\u0334",
    "\u16ff0\U00016ff0a\U00016ff0\u0301\U00016ff1\u0323",
]

AWKWARD = [
    "", " ", "\t\n\r\x0b\x0c\x1c\x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000x",
    "\x00a\x00b\ufffdc\x7fd", "a\u200bb\u200cc\u200dd\ufeffe\u00adf\u2060g",
    "👩‍👩‍👧‍👦 👍🏽 🇺🇳 ❤️ 1️⃣ 🏴\U000e0067\U000e0062\U000e007f", "\u202eRTL\u202c \u2066x\u2069",
    "a\ue000b\U000f0000c\U0010fffdd\u0378e\uffff\ufdd0", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "«a» „b“ ‚c‘ …d—e–f·g§h¶i©j®k°l±m×n÷o€p£q¿r¡s", "※〈x〉《y》「z」。、・ー〜", "!!!...---", "a.b.c", ".a",
    "a.", *("x" * n for n in (99, 100, 101, 1000)), *("é" * n + " b" for n in (99, 100, 101)),
    "\u0301" * 300 + "a", "a" + "\u0301\u0323" * 200, *("ß" * n for n in (99, 100, 101)), "İ" * 50,
    "İ" * 51, "中" * 150, "x" * 100 + "." + "y" * 101, "가" * 34, "\uac01" * 33, "\uac01" * 34,
    "[SEP]", "a[SEP]b", "a [SEP] b", "[CLS][SEP][MASK]", "[MASK]s", "[mask] [Mask]", "[ SEP ]",
    "[[SEP]]", "[SE", "[UNK] [PAD]", "é[MASK]\u0301é", "[MASK]\u0301", "##a ##", "#a",
    "unaffable UNAFFABLE unwanted,running", "a" * 20 + "\u0000" * 20 + "b", " \u0301 a \u0301",
    "e\u0000\u0301\u200d\u0323x", "a\u0323中\u0301\u0323文",
]


def awkward_texts():
    """Sentences and oddities as they are, glued, shuffled; and every corner of Unicode."""
    rng = random.Random(20)
    texts = [*SENTENCES, *COMBINING, *AWKWARD]
    texts += [text.upper() for text in texts] + [text.lower() for text in texts]
    pieces = [piece for text in SENTENCES + COMBINING + AWKWARD for piece in text.split(" ")]
    for _ in range(1000):
        chosen = [rng.choice(pieces) for _ in range(rng.randint(2, 12))]
        texts.append(rng.choice(["", " ", "\u00a0", ".", "\u0301", "[MASK]"]).join(chosen))
    for base in [*range(0, 0x20000, 128), *range(0xE0000, 0xE0200, 128)]:
        block = [c for c in range(base, base + 128) if not 0xD800 <= c <= 0xDFFF]
        if block:
            chosen = [chr(c) for c in rng.sample(block, 12)]
            texts.append("".join(chosen[:6]) + " a" + "a ".join(chosen[6:]))
    return texts


# Ranges whose characters interact: marks, letters with them, jamo, syllables.
BUSY = [
    (0x20, 0x250),
    (0x300, 0x370),
    (0x591, 0x5C8),
    (0x900, 0x980),
    (0x1100, 0x1200),
    (0x1E00, 0x2000),
    (0x3000, 0x3100),
    (0xAC00, 0xAC40),
]
MARKS = "\u0301\u0323\u302e\u0345\u0334\U0001d165"
STRINGS = ["[SEP]", "the", "ing", "é", "각", "中", "\u00df"]


def random_texts(count, seed):
    """Valid Unicode, thick with what interacts."""
    rng = random.Random(seed)
    every = code_points()
    busy = [chr(c) for begin, end in BUSY for c in range(begin, end)]
    makers = [
        lambda: chr(rng.choice(every)),
        lambda: chr(rng.randrange(0x20, 0x7F)),
        lambda: rng.choice(busy),
        lambda: rng.choice(" \t\u3000.-"),
        lambda: rng.choice(MARKS),
        lambda: rng.choice(STRINGS),
    ]
    for _ in range(count):
        weights = [rng.random() ** 3 for _ in makers]
        length = rng.randint(1, 60)
        yield "".join(maker() for maker in rng.choices(makers, weights, k=length))


BETWEEN = ["", " ", "  \u3000", "x", "é", "_", ".", "\u0301", "\u200d", "\n", "中"]
BETWEEN += ["[MASK]", "\0", "1"]


def texts_around(tokens, count):
    """The tokens, also in other case, with all manner of neighbours."""
    rng = random.Random(3)
    for _ in range(count):
        parts = []
        for _ in range(rng.randint(1, 6)):
            token = rng.choice(tokens)
            spelled = rng.choice([token, token, token.upper(), token.lower()])
            parts += [rng.choice(BETWEEN), spelled, rng.choice(BETWEEN)]
        yield "".join(parts)
