//! The parts that pages are made of.

use maud::{Markup, PreEscaped, Render, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::assets;

/// What stays as it is in a path segment or a query value of ours.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How loud a badge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Says something.
    Plain,
    /// Locked, allowed, done.
    Good,
    /// Public, refused, ageing.
    Warn,
    /// Failed, breaks.
    Bad,
    /// Tells.
    Info,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Info => "info",
        }
    }
}

/// A text as part of a path or as a value in a query.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// An icon beside a word; it says nothing itself.
pub(super) fn icon(name: &str) -> Markup {
    html! { svg.ic aria-hidden="true" { use href={ (assets::path("icons.svg")) "#" (name) } {} } }
}

/// A small icon, for badges.
fn small_icon(name: &str) -> Markup {
    html! { svg.ic.s aria-hidden="true" { use href={ (assets::path("icons.svg")) "#" (name) } {} } }
}

/// A badge: always a word, with an icon or without (`""`).
pub(super) fn badge(tone: Tone, icon: &str, text: impl Render) -> Markup {
    html! { span.b.(tone.class()) { @if !icon.is_empty() { (small_icon(icon)) } (text) } }
}

/// A method chip.
pub(super) fn method(name: &str) -> Markup {
    html! { span.m.(name) { (name) } }
}

/// A button that copies a text; `label` says what.
pub(super) fn copy(text: &str, label: &str) -> Markup {
    html! {
        button.btn.icon.sm.ghost type="button" data-copy=(text) aria-label=(label) title=(label) { (icon("copy")) }
    }
}

/// The head of a page: its title, a sentence and its actions.
pub(super) fn head(title: impl Render, about: impl Render, actions: &Markup) -> Markup {
    html! { div.head { div { h1 { (title) } p { (about) } } div.act { (actions) } } }
}

/// What a page shows when there is nothing yet: what it is for, and the way to the first one.
pub(super) fn empty(about: impl Render, action: &Markup) -> Markup {
    html! { div.empty { p { (about) } (action) } }
}

/// A table in a box that scrolls by itself when it is too wide; `name` is read out.
pub(super) fn scroll(name: &str, table: &Markup) -> Markup {
    html! { div.tw tabindex="0" role="region" aria-label={ (name) ", table" } { (table) } }
}

/// A field of a form. What is wrong with it stands beside it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Field<'a> {
    /// Name and id.
    pub(super) name: &'a str,
    pub(super) label: &'a str,
    pub(super) value: &'a str,
    /// What to write there; `""`: nothing to say.
    pub(super) hint: &'a str,
    pub(super) error: Option<&'a str>,
    pub(super) required: bool,
    /// Whether it holds code: a URL, a name, a pattern.
    pub(super) mono: bool,
    /// Rows of a text area; 0: one line.
    pub(super) rows: u8,
    /// `text`, `password`, `email`, `number`, …
    pub(super) kind: &'a str,
    /// The value of `autocomplete`; `""`: off.
    pub(super) autocomplete: &'a str,
    pub(super) autofocus: bool,
}

impl Render for Field<'_> {
    fn render(&self) -> Markup {
        let hint = format!("{}-hint", self.name);
        let described = (!self.hint.is_empty() || self.error.is_some()).then_some(hint.as_str());
        let class = if self.mono { "in mono" } else { "in" };
        let invalid = self.error.map(|_| "true");
        let complete = if self.autocomplete.is_empty() { "off" } else { self.autocomplete };
        html! {
            div.field {
                label for=(self.name) { (self.label) }
                @if self.rows > 0 {
                    textarea.(class).area id=(self.name) name=(self.name) rows=(self.rows) required[self.required]
                        aria-describedby=[described] aria-invalid=[invalid] spellcheck="false"
                        autofocus[self.autofocus] { "\n" (self.value) }
                } @else {
                    input class=(class) id=(self.name) name=(self.name) value=(self.value) required[self.required]
                        type=(if self.kind.is_empty() { "text" } else { self.kind })
                        aria-describedby=[described] aria-invalid=[invalid] autocomplete=(complete)
                        spellcheck=[self.mono.then_some("false")] autofocus[self.autofocus];
                }
                @if let Some(id) = described {
                    span.hint id=(id) {
                        @if let Some(error) = self.error { strong.wrong { (error) } " " }
                        (self.hint)
                    }
                }
            }
        }
    }
}

/// A choice of one of several values, each with its text.
pub(super) fn select<'a>(
    name: &str,
    label: &str,
    chosen: &str,
    options: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            select.in id=(name) name=(name) {
                @for (value, text) in options { option value=(value) selected[value == chosen] { (text) } }
            }
        }
    }
}

/// A box to tick.
pub(super) fn check(name: &str, value: &str, ticked: bool, text: impl Render) -> Markup {
    html! { label.check { input type="checkbox" name=(name) value=(value) checked[ticked]; span { (text) } } }
}

/// What went wrong with a form, read out at once.
pub(super) fn problem(text: impl Render) -> Markup {
    html! { div.call.bad role="alert" tabindex="-1" data-focus { (icon("triangle-alert")) div { (text) } span {} } }
}

/// Something that the person should know before going on.
pub(super) fn warning(text: impl Render) -> Markup {
    html! { div.call.warn { (icon("triangle-alert")) div { (text) } span {} } }
}

/// A secret that is shown now and not again: name and value, each with a button that copies it.
pub(super) fn secret_card(
    title: &str,
    about: impl Render,
    values: &[(&str, &str)],
    action: &Markup,
) -> Markup {
    html! {
        div.call.warn.secrets role="group" aria-label=(title) {
            (icon("key-round"))
            div { b { (title) } p.soft { (about) } }
            div { (action) }
            @for (name, value) in values {
                div.secret {
                    span { (name) }
                    code tabindex="0" data-secret=(name) { (value) }
                    (copy(value, &format!("Copy {name}")))
                }
            }
        }
    }
}

/// Steps from one thing to the next: role → privilege → module.
pub(super) fn chain(steps: &[&str]) -> Markup {
    html! {
        div.chain {
            @for (at, step) in steps.iter().enumerate() {
                @if at > 0 { span aria-hidden="true" { "→" } }
                code { (step) }
            }
        }
    }
}

/// Data for an island of script. It is not run: no script of a page is.
pub(super) fn json_island<T: Serialize>(id: &str, data: &T) -> Markup {
    let text = serde_json::to_string(data).unwrap_or_else(|_| "null".into());
    let escape = |c: char| match c {
        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", c as u32),
        c => c.to_string(),
    };
    let text: String = text.chars().map(escape).collect();
    html! { script type="application/json" id=(id) { (PreEscaped(text)) } }
}

/// A time as people say it, with the exact one at hand. `0`: never.
pub(super) fn ago(at_ms: i64, now_ms: i64) -> Markup {
    if at_ms == 0 {
        return html! { span.dim { "never" } };
    }
    let exact = jiff::Timestamp::from_millisecond(at_ms).map(|time| time.to_string()).unwrap_or_default();
    html! { time datetime=(exact) title=(exact) { (relative(at_ms, now_ms)) } }
}

/// `12 s ago`, `in 3 h`, `5 d ago`.
fn relative(at_ms: i64, now_ms: i64) -> String {
    let seconds = (now_ms - at_ms).abs() / 1000;
    let amount = match seconds {
        0..5 if now_ms >= at_ms => return "just now".into(),
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    };
    if now_ms >= at_ms { format!("{amount} ago") } else { format!("in {amount}") }
}

/// A number with commas between its thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 handler`, `2 handlers`.
pub(super) fn plural(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// What changed between two texts, line by line.
pub(super) fn diff(before: &str, after: &str, name: &str) -> Markup {
    let diff = similar::TextDiff::from_lines(before, after);
    html! {
        pre.code.diff tabindex="0" role="region" aria-label=(name) {
            @for (at, group) in diff.grouped_ops(3).iter().enumerate() {
                @if at > 0 { span.gap { "…\n" } }
                @for operation in group {
                    @for change in diff.iter_changes(operation) {
                        @let (class, sign) = match change.tag() {
                            similar::ChangeTag::Delete => ("d", "-"),
                            similar::ChangeTag::Insert => ("a", "+"),
                            similar::ChangeTag::Equal => ("e", " "),
                        };
                        span.(class) { (sign) " " (change.value()) @if change.missing_newline() { "\n" } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_an_island_cannot_end_it() {
        let island = json_island("d", &"</script><b>&\u{2028}").into_string();
        assert!(!island.contains("</script><b>"), "{island}");
        assert!(island.contains(r"\u003c/script\u003e\u003cb\u003e\u0026\u2028"), "{island}");
    }

    #[test]
    fn times_are_said_as_people_do() {
        let said = |seconds: i64| relative(1_000_000_000_000 - seconds * 1000, 1_000_000_000_000);
        let all = [0, 12, 300, 7_200, 400_000, -30, -7_200].map(said);
        assert_eq!(all, ["just now", "12 s ago", "5 min ago", "2 h ago", "4 d ago", "in 30 s", "in 2 h"]);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [0, 999, 1_000, 26_418, 1_000_000].map(count),
            ["0", "999", "1,000", "26,418", "1,000,000"]
        );
    }

    #[test]
    fn texts_are_escaped_in_paths_and_pages() {
        assert_eq!(encode("a/b c?&é"), "a%2Fb%20c%3F%26%C3%A9");
        let field = Field { name: "n", value: "\"><script>", ..Field::default() };
        assert!(!field.render().into_string().contains("<script>"));
    }
}
