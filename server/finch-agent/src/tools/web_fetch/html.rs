//! HTML, reduced to the few tags that Markdown has, before it is parsed and converted.
//!
//! Parsing hostile HTML can take memory and time that grow with the square of the page, and converting a deep tree the
//! stack. So the page is first rewritten in one pass: known tags alone, well nested, not deep and not many, scripts and
//! styles gone, links whole and only to the web. What a browser would read differently is read a little worse here.
//!
//! Invariant: every tag of the result was written by [`Reducer`], every end has its start, and no more than
//! [`HTML_DEPTH_MAX`] are open at once.

use url::Url;

use crate::limits::{HTML_BYTES_MAX, HTML_DEPTH_MAX, HTML_TAGS_MAX, URL_BYTES_MAX};

/// What becomes of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It stays, under this name.
    Kept(&'static str),
    /// It stays and has no end.
    Single(&'static str),
    /// It goes, and what is in it stays.
    Dropped,
    /// It goes with the text in it, in which there are no tags.
    Raw,
    /// It goes with all that is in it.
    Hidden,
}

/// Tags that end others which are open, up to one of the last.
const ENDING: &[(&[&str], &[&str], &[&str])] = &[
    (
        &["p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "pre", "blockquote", "hr"],
        &["p"],
        &["div", "li", "td", "th", "blockquote"],
    ),
    (&["li"], &["li"], &["ul", "ol"]),
    (&["td", "th"], &["td", "th"], &["tr", "table"]),
    (&["tr"], &["tr"], &["table"]),
    (&["thead", "tbody"], &["thead", "tbody"], &["table"]),
    (&["a"], &["a"], &[]),
];

/// The page with few and tame tags.
pub(super) fn reduced(page: &str, base: &Url) -> String {
    let mut reducer = Reducer { base, out: String::new(), open: Vec::new(), tags: 0 };
    let mut rest = page;
    while !rest.is_empty() && !reducer.is_full() {
        rest = match rest.find('<') {
            Some(0) => reducer.markup(rest),
            at => {
                let (text, behind) = rest.split_at(at.unwrap_or(rest.len()));
                reducer.text(text);
                behind
            }
        };
    }
    reducer.close_to(0);
    reducer.out
}

struct Reducer<'a> {
    base: &'a Url,
    out: String,
    open: Vec<&'static str>,
    tags: usize,
}

impl Reducer<'_> {
    fn is_full(&self) -> bool {
        self.out.len() >= HTML_BYTES_MAX || self.tags >= HTML_TAGS_MAX
    }

    fn text(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(HTML_BYTES_MAX.saturating_sub(self.out.len()))];
        self.out.push_str(&text.replace('>', "&gt;"));
    }

    /// What begins with `<`; gives what is behind it.
    fn markup<'b>(&mut self, rest: &'b str) -> &'b str {
        if let Some(comment) = rest.strip_prefix("<!--") {
            return behind(comment, "-->");
        }
        match rest.as_bytes().get(1) {
            Some(b'!' | b'?') => behind(rest, ">"),
            Some(b'/') if rest.as_bytes().get(2).is_some_and(u8::is_ascii_alphabetic) => {
                let tag = Tag::read(&rest[2..]);
                self.end(&tag.name);
                tag.behind
            }
            Some(b'/') => behind(rest, ">"),
            Some(letter) if letter.is_ascii_alphabetic() => self.start(Tag::read(&rest[1..])),
            _ => {
                self.out.push_str("&lt;");
                &rest[1..]
            }
        }
    }

    fn start<'b>(&mut self, tag: Tag<'b>) -> &'b str {
        match fate(&tag.name) {
            Fate::Dropped => {}
            Fate::Raw => return behind_end(tag.behind, &tag.name),
            Fate::Hidden if tag.is_closed => {}
            Fate::Hidden => return behind_all(tag.behind, &tag.name),
            Fate::Single(name) => {
                self.make_way(name);
                self.write(name, &tag);
            }
            Fate::Kept(name) => {
                self.make_way(name);
                if self.open.len() < HTML_DEPTH_MAX {
                    self.write(name, &tag);
                    self.open.push(name);
                }
            }
        }
        tag.behind
    }

    fn end(&mut self, name: &str) {
        if let Fate::Kept(name) = fate(name)
            && let Some(at) = self.open.iter().rposition(|open| *open == name)
        {
            self.close_to(at);
        }
    }

    /// Ends what cannot have such a tag in it.
    fn make_way(&mut self, name: &str) {
        for (_, ended, up_to) in ENDING.iter().filter(|(starts, ..)| starts.contains(&name)) {
            let within = self.open.iter().rposition(|open| up_to.contains(open)).map_or(0, |at| at + 1);
            if let Some(at) = self.open[within..].iter().position(|open| ended.contains(open)) {
                self.close_to(within + at);
            }
        }
    }

    fn close_to(&mut self, depth: usize) {
        for name in self.open.drain(depth..).rev() {
            self.out.push_str(&format!("</{name}>"));
        }
    }

    fn write(&mut self, name: &'static str, tag: &Tag<'_>) {
        self.tags += 1;
        let attribute = |name| tag.attribute(name);
        let mut attributes = String::new();
        let mut add = |name: &str, value: String| attributes.push_str(&format!(" {name}=\"{}\"", quoted(&value)));
        match name {
            "a" => {
                if let Some(url) = attribute("href").and_then(|href| self.link(href)) {
                    add("href", url);
                }
            }
            "img" => {
                add("alt", attribute("alt").unwrap_or_default().to_owned());
                if let Some(url) = attribute("src").and_then(|src| self.link(src)) {
                    add("src", url);
                }
            }
            "ol" => {
                if let Some(start) = attribute("start").and_then(|start| start.parse::<u32>().ok()) {
                    add("start", start.to_string());
                }
            }
            "code" => {
                if let Some(class) = attribute("class").and_then(language) {
                    add("class", class.to_owned());
                }
            }
            _ => {}
        }
        self.out.push_str(&format!("<{name}{attributes}>"));
    }

    /// A link as an address of the web, or nothing.
    fn link(&self, href: &str) -> Option<String> {
        let href = href.trim().replace("&amp;", "&");
        if href.is_empty() || href.starts_with('#') || href.len() > URL_BYTES_MAX {
            return None;
        }
        let url = self.base.join(&href).ok()?;
        (matches!(url.scheme(), "http" | "https") && url.as_str().len() <= URL_BYTES_MAX).then(|| url.to_string())
    }
}

/// A tag as it is written.
struct Tag<'a> {
    name: String,
    attributes: Vec<(String, &'a str)>,
    is_closed: bool,
    behind: &'a str,
}

/// Attributes of one tag that are looked at.
const ATTRIBUTES_MAX: usize = 32;

impl<'a> Tag<'a> {
    /// Reads a tag from its name on.
    fn read(text: &'a str) -> Self {
        let end = text.find(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>')).unwrap_or(text.len());
        let mut tag =
            Self { name: text[..end].to_ascii_lowercase(), attributes: Vec::new(), is_closed: false, behind: "" };
        let mut rest = &text[end..];
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
            match rest.as_bytes() {
                [] => return tag,
                [b'>', ..] => return Self { behind: &rest[1..], ..tag },
                [b'/', b'>', ..] => return Self { is_closed: true, behind: &rest[2..], ..tag },
                [b'/', ..] => rest = &rest[1..],
                _ => rest = tag.attribute_from(rest),
            }
        }
    }

    fn attribute_from(&mut self, rest: &'a str) -> &'a str {
        // A name has at least one character, so that this goes forward.
        let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '=');
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest[first..].find(ends).map_or(rest.len(), |at| first + at);
        let (name, behind) = rest.split_at(end);
        let blank = |c: char| c.is_ascii_whitespace();
        let Some(value) = behind.trim_start_matches(blank).strip_prefix('=') else {
            return behind;
        };
        let value = value.trim_start_matches(blank);
        let (value, behind) = match value.as_bytes().first() {
            Some(quote @ (b'"' | b'\'')) => {
                let inside = &value[1..];
                inside.split_once(char::from(*quote)).unwrap_or((inside, ""))
            }
            _ => value.split_at(value.find(|c: char| blank(c) || c == '>').unwrap_or(value.len())),
        };
        if self.attributes.len() < ATTRIBUTES_MAX {
            self.attributes.push((name.to_ascii_lowercase(), value));
        }
        behind
    }

    fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| *value)
    }
}

fn fate(name: &str) -> Fate {
    match name {
        "h1" => Fate::Kept("h1"),
        "h2" => Fate::Kept("h2"),
        "h3" => Fate::Kept("h3"),
        "h4" => Fate::Kept("h4"),
        "h5" => Fate::Kept("h5"),
        "h6" => Fate::Kept("h6"),
        "p" | "dt" | "dd" => Fate::Kept("p"),
        "ul" | "menu" => Fate::Kept("ul"),
        "ol" => Fate::Kept("ol"),
        "li" => Fate::Kept("li"),
        "blockquote" => Fate::Kept("blockquote"),
        "pre" => Fate::Kept("pre"),
        "code" | "kbd" | "samp" | "tt" => Fate::Kept("code"),
        "a" => Fate::Kept("a"),
        "strong" | "b" => Fate::Kept("strong"),
        "em" | "i" => Fate::Kept("em"),
        "table" => Fate::Kept("table"),
        "thead" => Fate::Kept("thead"),
        "tbody" | "tfoot" => Fate::Kept("tbody"),
        "tr" => Fate::Kept("tr"),
        "th" => Fate::Kept("th"),
        "td" => Fate::Kept("td"),
        "address" | "article" | "aside" | "body" | "caption" | "center" | "details" | "dialog" | "div" | "dl"
        | "fieldset" | "figcaption" | "figure" | "footer" | "form" | "header" | "hgroup" | "main" | "nav"
        | "section" | "summary" | "title" => Fate::Kept("div"),
        "br" => Fate::Single("br"),
        "hr" => Fate::Single("hr"),
        "img" => Fate::Single("img"),
        "script" | "style" | "iframe" | "noembed" | "noframes" | "xmp" | "textarea" => Fate::Raw,
        "svg" | "math" | "template" => Fate::Hidden,
        _ => Fate::Dropped,
    }
}

/// The class of a block of code that names its language.
fn language(class: &str) -> Option<&str> {
    class.split_ascii_whitespace().find(|class| {
        class.strip_prefix("language-").is_some_and(|name| {
            (1..=20).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+#-".contains(&b))
        })
    })
}

/// A value between quotes. Entities stay what they are.
fn quoted(value: &str) -> String {
    value.replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

fn behind<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or("", |(_, behind)| behind)
}

/// What is behind the next end of such an element.
fn behind_end<'a>(text: &'a str, name: &str) -> &'a str {
    match text.match_indices("</").find(|(at, _)| is_named(&text[at + 2..], name)) {
        Some((at, _)) => behind(&text[at..], ">"),
        None => "",
    }
}

/// What is behind the end of such an element, others of its name in it.
fn behind_all<'a>(text: &'a str, name: &str) -> &'a str {
    let mut depth = 1;
    for (at, _) in text.match_indices('<') {
        let tag = &text[at + 1..];
        match tag.strip_prefix('/') {
            Some(end) if is_named(end, name) => depth -= 1,
            None if is_named(tag, name) => depth += 1,
            _ => {}
        }
        if depth == 0 {
            return behind(tag, ">");
        }
    }
    ""
}

fn is_named(text: &str, name: &str) -> bool {
    text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        && text[name.len()..].chars().next().is_none_or(|c| c.is_ascii_whitespace() || matches!(c, '/' | '>'))
}

#[cfg(test)]
mod tests {
    use htmd::HtmlToMarkdown;
    use proptest::prelude::*;

    use super::*;

    fn markdown(page: &str) -> String {
        let base = Url::parse("https://site.test/docs/page").unwrap();
        HtmlToMarkdown::new().convert(&reduced(page, &base)).unwrap()
    }

    #[track_caller]
    fn check(page: &str, expected: &str) {
        assert_eq!(markdown(page), expected, "{page}");
    }

    #[test]
    fn a_page_becomes_markdown() {
        check(
            "<h1>Title</h1><p>Some <b>bold</b> &amp; <i>slanted</i> text",
            "# Title\n\nSome **bold** & *slanted* text",
        );
        check("<ul><li>one<li>two</ul>", "*   one\n*   two");
        check("<p>one<p>two<P>three", "one\n\ntwo\n\nthree");
        check("<pre><code class='hljs language-rust'>let a = b &lt; c;\n</code></pre>", "```rust\nlet a = b < c;\n```");
        check("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "| a | b |\n| - | - |\n| 1 | 2 |");
        check("a &lt; b < c <3 d", "a < b < c <3 d");
        check("<article><span>x</span><custom-tag>y</custom-tag></article>", "xy");
        check("<p title='a > b' data-x=\"</p>\">x", "x");
    }

    #[test]
    fn links_lead_to_the_web_or_nowhere() {
        check("<a href='/x?a=1&amp;b=2'>x</a>", "[x](https://site.test/x?a=1&b=2)");
        check("<a href=other>x</a>", "[x](https://site.test/docs/other)");
        check("<img src='//cdn.test/i.png' alt='a > b'>", "![a > b](https://cdn.test/i.png)");
        for inert in [
            "<a href='command:workbench.action.terminal.sendSequence'>x</a>",
            "<a href='javascript:alert(1)'>x</a>",
            "<a href='java\nscript:alert(1)'>x</a>",
            "<a href='vscode://x'>x</a>",
            "<a href='file:///etc/passwd'>x</a>",
            "<a href='#top'>x</a>",
            "<a onclick='y()'>x</a>",
        ] {
            check(inert, "x");
        }
    }

    #[test]
    fn what_is_no_text_is_gone() {
        for gone in [
            "<script>document.write('<p>x')</script>",
            "<SCRIPT>x</sCrIpT >",
            "<style>p { color: red }</style>",
            "<!-- <p>x</p> -->",
            "<!doctype html><?xml x?>",
            "<svg><svg></svg><text>x</text></svg>",
            "<template><p>x</p></template>",
            "<iframe src=x>x</iframe>",
        ] {
            check(&format!("{gone}y"), "y");
        }
        check("a<script>never closed <p>x", "a");
        check("a<!-- never closed <p>x", "a");
        check("a<b never='closed>x</b>", "a");
    }

    #[test]
    fn bombs_stay_small() {
        let deep = "<div>".repeat(1 << 18);
        let (formats, paragraphs): (String, String) =
            ((0..80_000).map(|n| format!("<b a={n}>")).collect(), "<p>x".repeat(150_000));
        for bomb in [
            format!("{deep}x"),
            "<ul><li>".repeat(150_000),
            "<table><tr><td>".repeat(80_000),
            "<blockquote>".repeat(100_000) + &"x<br>".repeat(100_000),
            format!("{formats}{paragraphs}"),
            "<b><div></b>".repeat(100_000),
            "<a href=x><div>".repeat(80_000),
            "<b>x</b>".repeat(150_000),
            "</p>".repeat(1 << 18),
            "<".repeat(1 << 20),
            "<a ".repeat(1 << 18),
            format!("<p {}>", "a=b ".repeat(1 << 18)),
            "<!--".repeat(1 << 18),
            "<svg>".repeat(1 << 18),
            "<script>".repeat(150_000),
            format!("<pre>{}", "\n".repeat(1 << 20)),
        ] {
            let base = Url::parse("https://site.test/").unwrap();
            let small = reduced(&bomb, &base);
            let start = &bomb[..20];
            assert!(small.len() <= HTML_BYTES_MAX + URL_BYTES_MAX + 64 * HTML_DEPTH_MAX, "{start}: {}", small.len());
            assert!(small.matches('<').count() <= 2 * HTML_TAGS_MAX, "{start}");
            let text = HtmlToMarkdown::new().convert(&small).unwrap();
            assert!(text.len() <= 64 * HTML_BYTES_MAX, "{start}: {}", text.len());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_reduced_to_tags_that_are_well_nested(
            parts in proptest::collection::vec(prop_oneof![
                "[<>/a-z =\"'&;!?-]{0,8}",
                proptest::sample::select(vec![
                    "<p>", "</p>", "<div>", "</div>", "<li>", "<ul>", "</ul>", "<table>", "<td>", "<tr>", "</table>",
                    "<a href=x>", "</a>", "<b>", "</b>", "<pre>", "<code>", "</code>", "<script>", "</script>", "<svg>",
                    "<!--", "-->", "<img src=x alt=y>", "ü", "<br/>",
                ]).prop_map(str::to_owned),
            ], 0..200)
        ) {
            let base = Url::parse("https://site.test/").unwrap();
            let small = reduced(&parts.concat(), &base);
            let mut open: Vec<&str> = Vec::new();
            for tag in small.split('<').skip(1) {
                let name = tag.split(['>', ' ']).next().unwrap();
                match name.strip_prefix('/') {
                    Some(end) => prop_assert_eq!(open.pop(), Some(end)),
                    None if ["br", "hr", "img"].contains(&name) => {}
                    None => open.push(name),
                }
                prop_assert!(open.len() <= HTML_DEPTH_MAX);
            }
            prop_assert!(open.is_empty());
            HtmlToMarkdown::new().convert(&small).unwrap();
        }
    }
}
