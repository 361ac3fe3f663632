"""What a line of a copied page looks like: tables of known furniture, and rules of shape. Each looks at one text alone."""

from __future__ import annotations

import re

from pipeline.draft.page.lines import stop_of
from pipeline.draft.page.values import HouseText

# --- tables ------------------------------------------------------------------


def _table(text: str) -> frozenset[str]:
    """The entries of a table written over several lines, parted by bars."""
    return frozenset(entry.strip() for line in text.splitlines() for entry in line.split("|"))


#: Widgets and links of a site: never part of an article, wherever they stand. Compared without case, stops and blanks at the ends.
WIDGETS = _table(
    """accessibility links|skip to main content|skip to main navigation|skip to search|skip to content|skip navigation
    jump to navigation|breaking news|share|share this|share this article|share article|share on facebook|share on x
    share on twitter|share via email|tweet|print|print this page|print article|email|email this|copy link|copy|link copied|save
    bookmark|embed|embed share|embed code|download|listen|facebook|twitter|x|telegram|whatsapp|viber|vk|vkontakte|odnoklassniki
    linkedin|reddit|instagram|youtube|rss|pinterest|line|messenger|threads|bluesky|mastodon|tiktok|flipboard|pocket|comments
    comment|leave a comment|view comments|show comments|hide comments|load more comments|advertisement|advertising|ad|sponsored
    loading|loading...|load more|show more|menu|close|open|search|sign in|log in|log out|register|my account|follow us|follow
    subscribed|subscribe|back to top|top|previous|next|previous slide|next slide|play|pause|mute|unmute|fullscreen|full screen|zoom
    enlarge|enlarge image|view image|view gallery|image|picture|auto|width|height|px|pop-out player|direct link|no source
    no media source currently available|0:00|the code has been copied to your clipboard|the url has been copied to your clipboard
    cookie settings|cookie policy|privacy policy|terms of use|terms and conditions|contact us|about us|all rights reserved|see also
    xs|sm|md|lg|xl|xxl|read in full|open in new window|opens in new window|toggle navigation|expand|collapse|print options
    gift article|add to favorites"""
)
#: Labels that are furniture above the headline or below the article, but may be somebody's subhead between two paragraphs.
EDGE_LABELS = _table(
    """news|latest news|latest|live|home|world|politics|economy|business|society|culture|opinion|analysis|features|explainer|interview
    video|videos|photo gallery|photos|podcast|podcasts|newsletter|newsletters|sports|health|science|technology|investigations
    author|authors|about the author|about the authors|written by|topics|tags|regions|languages|programs"""
)
#: Headings over a list of other articles.
TEASER_HEADINGS = re.compile(
    r"^(?:see also|read also|read more|related(?: (?:stories|articles|content|topics|news|coverage|reading))?"
    r"|recommended(?: for you)?|most (?:popular|read|viewed|shared)|trending(?: now)?|editors?['’]?s?['’]? picks?|top stories"
    r"|you (?:may|might) also like|more (?:from|on|in) .{2,40})$",
    re.IGNORECASE,
)
_WIDGET_SHAPES = re.compile(
    r"""^(?:\d{1,2}\s?x\s?\d{1,2}\s+(?:image|video)            # 16x9 Image
    |(?:share|comments?|likes?|views?)\s*\(?\d[\d,. ]*\)?      # Comments (12)
    |\d[\d,.]*\s*(?:comments?|shares?|likes?|views?)
    |\d{1,3}\s*[- ]?min(?:ute)?s?\.?\s+(?:read|listen)
    |(?:\d{1,2}:)?\d{1,2}:\d{2}(?:\s*/\s*(?:\d{1,2}:)?\d{1,2}:\d{2})?   # a player's clock
    |\d{3,4}p(?:\s*\|.*)?
    |(?:©|\(c\)|copyright\b).{0,120}
    |.{0,80}\ball\s+rights\s+reserved\.?
    |(?:please\s+)?(?:enable|turn\s+on)\s+javascript.{0,120}
    |(?:share|send)\s+(?:this\s+)?(?:\w+\s+)?(?:on|via|by)\s+\w+
    |(?:we|this\s+(?:web)?site)\s+uses?\s+cookies?\b.{0,400})$""",
    re.IGNORECASE | re.VERBOSE,
)
_SEPARATOR = re.compile(r"^[-–—―_=*•·|/\\.…~+#<>►▶▸›‹«»:;,^`\s]+$")
_NUMBERED = re.compile(r"^(\d{1,3})[.)]\s+(?=\S)")

# --- furniture ---------------------------------------------------------------


def folded(text: str) -> str:
    """The text for comparing: no case, one kind of apostrophe, no stop or colon at its end."""
    return text.casefold().replace("’", "'").strip(" .:…!|-–—")


def is_widget(text: str) -> bool:
    """Whether the line is a control or link of the site."""
    return folded(text) in WIDGETS or _WIDGET_SHAPES.match(text) is not None


def is_edge_label(text: str, house: HouseText) -> bool:
    """Whether the line is a label when it stands at the page's edge."""
    return folded(text) in EDGE_LABELS or folded(text) in {folded(name) for name in (house.newsletter, *house.outlets) if name}


def is_separator(text: str) -> bool:
    """Whether the line is drawn, not written: dashes, dots, bars."""
    return _SEPARATOR.match(text) is not None


def number_of(text: str) -> int | None:
    """The number of a numbered list's item ("3. text"), or None."""
    match = _NUMBERED.match(text)
    return int(match[1]) if match else None


def without_number(text: str) -> str:
    """A numbered item's words."""
    return _NUMBERED.sub("", text, count=1)


# --- sentences and subheads --------------------------------------------------

_WORD = re.compile(r"[^\W_]+(?:['’.\-][^\W_]+)*")
_SENTENCE_END = re.compile(
    r"(?<![A-Z]\.[A-Z])(?<!\b(?:Mr|Dr|St|No|vs))(?<!\b(?:Mrs|Gen|Sen|Rep|Gov|Col|Jan|Feb|Aug|Oct|Nov|Dec))"
    r"[.!?…][\"”’')\]]*\s+(?=[\"“‘'(\[]?[^\W\d_])"
)


def words(text: str) -> list[str]:
    """The words of a text, without punctuation."""
    return _WORD.findall(text)


def sentences(text: str) -> int:
    """Roughly how many sentences; "U.S. troops" and "Dr. Roe" do not end one."""
    return len(_SENTENCE_END.findall(text)) + 1


def is_title_case(text: str) -> bool:
    """Whether the words are capitalised as in an English headline; names alone inside a sentence are too few for that."""
    found = words(text)
    if not found or not (found[0][0].isupper() or found[0][0].isdigit()):
        return False
    rest = [word for word in found[1:] if word[0].isalpha()]
    if not rest:
        return len(found) == 1 and found[0][0].isupper()
    # four letters and more are capitalised in every house's headlines; with only small words there, look at those
    weighty = [word for word in rest if len(word) >= 4] or rest
    share = sum(word[0].isupper() for word in weighty) / len(weighty)
    return share >= (0.75 if weighty is not rest else 0.5)


def is_prose(text: str) -> bool:
    """Whether this is running text beyond doubt: a sentence of some length, or a great many words."""
    count, stop = len(words(text)), stop_of(text)
    if count >= 25 or len(text) >= 200:
        return True
    if stop in tuple("!?！？؟"):
        return count >= 8 and not is_title_case(text)
    # scripts without blanks between words have long "words"
    return bool(stop) and (count >= 8 or len(text) >= 40)


def is_sentence(text: str) -> bool:
    """Whether this reads as a sentence, however short; a headline with a question mark does not."""
    if is_prose(text):
        return True
    stop = stop_of(text)
    return bool(stop) and len(words(text)) >= 2 and not (stop in "!?" and is_title_case(text))


def is_subhead(text: str) -> bool:
    """Whether a line that stands between paragraphs reads as a subhead.

    Short, no full stop, not starting small. With a question or exclamation mark it must be in title case: "So what now?" is a
    paragraph. Without any stop, sentence case will do, since a paragraph ends with one.
    """
    count, stop = len(words(text)), stop_of(text)
    if not count or len(text) > 100 or count > 14 or text[:1].islower() or text.endswith((",", ";", ":", "-", "–", "—")):
        return False
    if stop:
        return stop in "!?" and count >= 2 and is_title_case(text)
    return is_title_case(text) or (count <= 9 and text[-1] not in '"”»')


# --- captions ----------------------------------------------------------------

_MONTH = (
    r"(?:Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?|July?"
    r"|Aug(?:ust|\.)?|Sept?(?:ember|\.)?|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?)"
)
_DATE_AT_END = re.compile(rf"\b(?:{_MONTH} \d{{1,2}}(?:, \d{{4}})?|\d{{1,2}} {_MONTH}(?:,? \d{{4}})?|{_MONTH},? \d{{4}})[.)]*$")
_PLACE_IN_PICTURE = re.compile(
    r"\((?:(?:(?:second|third|fourth|fifth|2nd|3rd|4th|far|front|back|top|bottom|rear|from)[ -]){0,2}"
    r"(?:left|right|cent(?:er|re)|middle|front|back|foreground|background|top|bottom)(?: to right)?"
    r"(?:,? (?:front|back|foreground))?|L|R|C|(?:second|third|fourth|fifth) from (?:the )?(?:left|right)"
    r"|from left(?: to right)?|file photo|file|archive(?: photo)?|illustrative(?: photo)?)\)",
    re.IGNORECASE,
)
_DEPICTS = re.compile(
    r"\b(?:(?:is|are) (?:seen|pictured|shown)|pos(?:es?|ing)|stands?|sits?|walks?|looks? (?:on|at|out)|listens?|waves?|smiles?"
    r"|keeps? watch|shakes? hands|carr(?:y|ies)|holds? (?:a|an|the|up|his|her|their|hands)|march(?:es)?|patrols?"
    r"|lines? up|gathers?|rides?|kneels?|hugs?"
    r"|salutes?)\b"
)
_HAPPENS = re.compile(
    r"\b(?:arrives?|attends?|speaks?|meets?|greets?|visits?|welcomes?|addresses|leads?|waits?|works?|passes|takes? part)\b"
)
_TELLS = re.compile(r"\b(?:said|says|told|according to|wrote|writes|added|will|would|could|should|has|have|had|did|may|might)\b")
_CONNECTS = re.compile(
    r"^(?:But|And|However|Yet|So|Still|Those|These|This|That|It|He|She|They|We|I|In|Since|While|Despite|Following|Although|Beyond)\b"
)
_AGENCY = (
    r"(?:AFP|AP|EPA(?:-EFE)?|Reuters|TASS|RIA\ Novosti|Xinhua|Getty(?:\ Images)?|Anadolu|IMAGO|dpa|Shutterstock|Alamy|Bloomberg"
    r"|WANA|IRNA|UNIAN|Ukrinform)"
)
_CREDIT_LINE = re.compile(
    rf"""^\(?(?:(?:photos?|picture|image|credits?|source|foto|фото)(?:\ credit)?(?:\ by|:)\s*(?P<named>.{{2,80}}?)
    |(?P<agency>(?:[^.:;()]{{2,40}}/\s?)?{_AGENCY}(?:\s?/\s?[^.:;()]{{2,40}})?(?:\ photos?)?)
    |©\s*(?P<holder>[^.]{{2,80}}))\)?\.?$""",
    re.IGNORECASE | re.VERBOSE,
)
_TRAILING_CREDIT = re.compile(r"\s*\(([^()]{2,100})\)\.?$")
CAPTION_SCORE = 4


def credit_of(text: str) -> str:
    """The name in a credit line ("Photo: Jane Roe (Agency)", "AFP"), or an empty text when it is none."""
    match = _CREDIT_LINE.match(text) if len(text) <= 110 else None
    if match is None:
        return ""
    named = next(part for part in match.groups() if part).strip()
    # a draft's credit stands in parentheses, where others would not be told apart
    named = re.sub(r"\s*\(([^()]*)\)?", r", \1", named).strip(", ")
    # a holder is a name; "Picture by picture it became clear." and "(c) 2026 The Newsroom" are not credits
    return named if named[:1].isupper() and len(words(named)) <= 8 else ""


def split_credit(caption: str) -> tuple[str, str]:
    """A caption and the credit in its last parenthesis. "(file photo)" and "(left)" are no credits and stay."""
    match = _TRAILING_CREDIT.search(caption)
    if match and _PLACE_IN_PICTURE.match(f"({match[1]})") is None:
        credit = credit_of(match[1])
        if credit:
            return caption[: match.start()].rstrip(), credit
    return caption, ""


def caption_score(text: str, *, credited: bool = False, page_doubles: bool = False) -> int:
    """How much an undoubled paragraph reads as a caption; from ``CAPTION_SCORE`` on it is one.

    A caption names places in the picture, (left) or (file photo), which body text never does: 3. It ends with the day it was
    taken: 2. Its verb shows what is seen, "stands", "is seen": 2; a verb such as "arrives" is common in short news as well: 1. A
    credit line below settles it: 4; a credit in its last parenthesis, nearly: 3. Against it: reported speech and other tenses,
    a quotation, a first word that ties it to the paragraph before, each -2. On a page that prints its captions twice, an
    undoubled paragraph is less likely one: -1. Too long or too many sentences: never.
    """
    if len(text) > 400 or sentences(text) > 2 or len(words(text)) < 4:
        return 0
    score = 3 * bool(_PLACE_IN_PICTURE.search(text)) + 2 * bool(_DATE_AT_END.search(text))
    score += 2 if _DEPICTS.search(text) else 1 if _HAPPENS.search(text) else 0
    score += 4 * credited + 3 * bool(split_credit(text)[1])
    score -= 2 * bool(_TELLS.search(text)) + 2 * bool(re.search('["“”«„]', text)) + 2 * bool(_CONNECTS.search(text))
    return score - page_doubles


# --- people, dates, notices, calls ---------------------------------------------

_PARTICLES = _table("de|da|del|di|du|la|le|van|von|der|den|bin|ibn|al|el|dos|y")
_NOT_NAMES = _table("the|a|an|and|or|of|in|on|at|to|for|with|from|by|is|are|what|why|how|who|news|image|photo|about|more|our|your")
_BYLINE = re.compile(r"^(?:by|written by|reported by|story by|author:|автор:)\s+(?P<name>[^.!?:;]{3,80})$", re.IGNORECASE)
_WEEKDAY = r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day,?\s+)?"
_DATE_LINE = re.compile(
    rf"""^(?:(?:last\s+)?(?:updated|published|posted|modified)(?:\s+(?:on|at))?:?\s*)?{_WEEKDAY}
    (?:{_MONTH}\ \d{{1,2}},?\ \d{{4}}|\d{{1,2}}\ {_MONTH},?\ \d{{4}}|\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}[./]\d{{1,2}}[./]\d{{4}})
    (?:[\ ,T|–-]*(?:at\s+)?\d{{1,2}}[:.]\d{{2}}(?::\d{{2}})?(?:\s?[ap]\.?m\.?)?(?:\s+[A-Z]{{2,5}})?)?$""",
    re.IGNORECASE | re.VERBOSE,
)
_JOB = re.compile(
    r"\b(?:correspondent|reporter|editor|journalist|columnist|producer|photographer|staff writer|bureau chief|newsroom|freelance"
    r"|contributor|contributing writer|covers|reports (?:on|from|for)|writes (?:about|for|on)|author of the)\b",
    re.IGNORECASE,
)
_THREAT = re.compile(
    r"\b(?:you|readers) (?:could|may|might|can|will|risk) .{0,60}\b(?:fined?s?|imprison\w*|prison|prosecut\w*|jail\w*"
    r"|criminal\w*|liab\w+)\b"
    r"|^if you (?:are|live|reside) in .{2,300}\b(?:fines?|imprison\w*|prosecut\w*|criminal\w*|liab\w+)\b",
    re.IGNORECASE,
)
#: A notice speaks for the outlet and about its own pages; a person quoted on the law does not.
_OWN = re.compile(r"\b(?:our|us|this (?:newsletter|site|website|e-?mail|page|content|channel))\b", re.IGNORECASE)
_QUOTED = re.compile('^["“„«‘]')
_DESIGNATION = re.compile(
    r"\bundesirable (?:\w+ )?organi[sz]ation|\b(?:declared|designated|labell?ed|listed|branded)\b.{0,60}"
    r"\b(?:undesirable|extremist|foreign agent)|\b(?:undesirable|extremist|foreign agent)\b.{0,60}\b(?:designation|status)"
    r"|нежелательн\w+ организаци|иностранн\w+ агент",
    re.IGNORECASE,
)
_CLICK_HERE = re.compile(r"\b(?:click|tap|press|follow the link) here\b|\bhere\.?$", re.IGNORECASE)
_FIND_OUT = re.compile(
    r"^(?:(?:to|for) (?:find out|learn|read|know|get) more|for more (?:information|details)|(?:find out|learn|read) more)\b", re.IGNORECASE
)
_SUBSCRIBE = re.compile(r"\b(?:subscribe|subscription|sign(?:ing)? up|your inbox|unsubscribe)\b", re.IGNORECASE)
_SUBSCRIBE_CALL = re.compile(r"^(?:to )?(?:subscribe|sign up)\b", re.IGNORECASE)


def is_name(text: str) -> bool:
    """Whether the line is shaped like a person's name: two to four capitalised words, no digits, no stop."""
    parts = text.split()
    if not 2 <= len(parts) <= 4 or len(text) > 50 or (stop_of(text) and not parts[-1].endswith(".")):
        return False
    if any(not re.fullmatch(r"[^\W\d_][\w’'.\-]*", part) or part.casefold() in _NOT_NAMES for part in parts):
        return False
    return all(part[0].isupper() or part in _PARTICLES for part in parts) and not all(part.isupper() and len(part) > 2 for part in parts)


def byline_of(text: str) -> str:
    """The name in a byline ("By Jane Roe"), or an empty text."""
    match = _BYLINE.match(text)
    names = re.split(r",\s*|\s+(?:and|&)\s+", match["name"]) if match else []
    return match["name"].strip() if match and any(is_name(name) for name in names) else ""


def is_date_line(text: str) -> bool:
    """Whether the line is nothing but the day of publication."""
    return _DATE_LINE.match(text) is not None


def has_job(text: str) -> bool:
    """Whether the text speaks of a journalist's work."""
    return _JOB.search(text) is not None


def is_threat_notice(text: str) -> bool:
    """Whether the outlet warns its reader of what the law may do to them for reading, sharing or writing to it."""
    return _THREAT.search(text) is not None and _OWN.search(text) is not None and _QUOTED.match(text) is None


def is_designation(text: str) -> bool:
    """Whether the text tells that somebody was declared undesirable or the like: a notice beside a warning, news elsewhere."""
    return len(text) <= 400 and _DESIGNATION.search(text) is not None


def is_find_out(text: str) -> bool:
    """Whether the line is a dead "find out more" link."""
    return len(text) <= 120 and _FIND_OUT.search(text) is not None and _CLICK_HERE.search(text) is not None


def speaks_of_subscribing(text: str) -> bool:
    """Whether the text asks for a subscription, in passing or outright."""
    return _SUBSCRIBE.search(text) is not None


def is_subscribe_call(text: str) -> bool:
    """Whether the line does nothing but ask for a subscription."""
    return (
        len(text) <= 200
        and sentences(text) <= 2
        and _SUBSCRIBE_CALL.search(text) is not None
        and (
            _CLICK_HERE.search(text) is not None
            or re.search(r"newsletter|briefing|dispatch|inbox|e-?mail", text, re.IGNORECASE) is not None
        )
    )
