"""What a language decides about a page: direction, fonts, line height, how it calls itself. Its words: ``words``."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.settings import Newsletter

_RTL_LANGUAGES = frozenset({"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})
_RTL_SCRIPTS = frozenset({"arab", "hebr", "thaa", "syrc", "nkoo"})
_CHINESE = frozenset({"zh", "yue", "wuu"})

_OWN_NAMES: Mapping[str, str] = {
    "ar": "العربية", "az": "Azərbaycanca", "be": "Беларуская", "bg": "Български", "bo": "བོད་སྐད།", "cs": "Čeština", "de": "Deutsch",
    "en": "English", "es": "Español", "fa": "فارسی", "fr": "Français", "he": "עברית", "hu": "Magyar", "hy": "Հայերեն", "id": "Indonesia",
    "ja": "日本語", "ka": "ქართული", "kk": "Қазақша", "ko": "한국어", "ky": "Кыргызча", "mn": "Монгол", "my": "မြန်မာ", "pl": "Polski",
    "ps": "پښتو", "pt": "Português", "ro": "Română", "ru": "Русский", "sr": "Српски", "tg": "Тоҷикӣ", "tk": "Türkmençe", "tr": "Türkçe",
    "tt": "Татарча", "ug": "ئۇيغۇرچە", "ug-cyrl": "Уйғурчә", "ug-latn": "Uyghurche", "uk": "Українська", "ur": "اردو", "uz": "Oʻzbekcha",
    "uz-cyrl": "Ўзбекча", "vi": "Tiếng Việt", "zh": "中文", "zh-hans": "简体中文", "zh-hant": "繁體中文",
}  # fmt: skip
"""Links to a language are in that language: who needs the link can read it (W3C, Indicating the language of a link)."""


def direction(language: str) -> str:
    """``rtl`` or ``ltr`` for a BCP 47 tag; a script subtag (ug-Cyrl) outweighs the language's usual script."""
    primary, *rest = language.lower().split("-")
    script = next((part for part in rest if len(part) == 4 and part.isalpha()), None)
    return "rtl" if (script in _RTL_SCRIPTS if script else primary in _RTL_LANGUAGES) else "ltr"


def text_direction(text: str, page: str) -> str | None:
    """``rtl`` or ``ltr`` for a text on a page that runs in direction ``page``; None when it has no letters.

    It runs the other way when three of four strong characters do (UAX 9 classes L, R, AL): a Uyghur sentence with a long
    Latin name in it is still Uyghur.
    """
    classes = [unicodedata.bidirectional(character) for character in text]
    left, right = classes.count("L"), classes.count("R") + classes.count("AL")
    if left == right == 0:
        return None
    own, other = (right, left) if page == "rtl" else (left, right)
    return page if other < 3 * own else "ltr" if page == "rtl" else "rtl"


def gap_after(text: str) -> str:
    """What parts ``text`` from what follows: a blank, but nothing after Chinese and its wide marks (UAX 11)."""
    return "" if text and unicodedata.east_asian_width(text[-1]) in "WF" else " "


@dataclass(frozen=True, slots=True, kw_only=True)
class Typography:
    """Fonts and measures for one script, as CSS values.

    Names stand without quotation marks, which CSS allows: a quoted one makes the inliner write the whole attribute longer.
    """

    serif: str
    sans: str
    mso: str
    #: Word falls to Times New Roman on an unknown stack, so it is told one family.
    line_height: str
    #: Unitless.


_LATIN = Typography(
    serif="Georgia,serif",
    sans="Helvetica,Arial,sans-serif",
    mso="Georgia",
    line_height="1.6",
)
_ARABIC = Typography(
    serif="UKIJ Tuz Tom,Microsoft Uighur,Noto Naskh Arabic,Tahoma,Arial,sans-serif",
    sans="Tahoma,Noto Sans Arabic,Arial,sans-serif",
    mso="Tahoma",
    line_height="1.8",
)
_HAN = Typography(
    serif="Songti SC,SimSun,Noto Serif CJK SC,serif",
    sans="PingFang SC,Microsoft YaHei,Noto Sans CJK SC,sans-serif",
    mso="Microsoft YaHei",
    line_height="1.75",
)


def typography(language: str) -> Typography:
    """Fonts and measures for a language."""
    if direction(language) == "rtl":
        return _ARABIC
    return _HAN if language.lower().split("-")[0] in _CHINESE else _LATIN


def own_name(language: str) -> str:
    """What a language calls itself; a tag that nobody wrote down here stands for itself."""
    parts = language.lower().split("-")
    known = ("-".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((_OWN_NAMES[tag] for tag in known if tag in _OWN_NAMES), language)


def shared_language(newsletters: Iterable[Newsletter]) -> str:
    """The language of pages that belong to no newsletter: the one that all have, else English."""
    found = {newsletter.language for newsletter in newsletters}
    return found.pop() if len(found) == 1 else "en"
