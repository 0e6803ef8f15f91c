//! The status page: one HTML document without scripts, from a snapshot.
//!
//! It owns: the document, its words and its escaping. It does not own: facts, HTTP.
//!
//! Everything that is not a constant of this module is escaped: topics, keys and what servers
//! answered come from outside. `page.html` holds the frame with `{{name}}` where a text belongs.

mod chart;
mod keys;

use std::borrow::Cow;

use super::metrics::Totals;
use super::status::{COURSE, Health, PartitionRow, Reach, Readiness, Snapshot};
use crate::config::Shown;
use crate::model::{Offset, Timestamp, TopicPartition, Uptime};

pub use keys::Keys;

const FRAME: &str = include_str!("page.html");

/// What the page shows.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub title: &'a str,
    pub snapshot: &'a Snapshot,
    pub totals: Totals,
    pub uptime: Uptime,
    /// The time of day.
    pub wall: Timestamp,
    /// The configuration that holds.
    pub settings: &'a [Shown],
    pub keys: Keys,
}

/// Returns the page.
pub fn render(facts: &Facts<'_>) -> String {
    let snapshot = facts.snapshot;
    let (health_class, health_word) = match &snapshot.health {
        Health::Moving => ("good", "healthy"),
        Health::Stuck(_) => ("bad", "stuck"),
    };
    let (ready_class, ready_word) = match &snapshot.readiness {
        Readiness::Ready => ("good", "ready"),
        Readiness::Draining => ("wait", "stopping"),
        Readiness::Unassigned { .. } => ("wait", "not ready"),
        Readiness::StoreUnreached { .. } => ("bad", "not ready"),
    };
    fill(
        FRAME,
        &[
            ("mark", if is_well(snapshot) { "✓" } else { "!" }),
            ("title", &escaped(facts.title)),
            ("health_class", health_class),
            ("health_word", health_word),
            ("ready_class", ready_class),
            ("ready_word", ready_word),
            ("say_class", if is_well(snapshot) { "" } else { "wrong" }),
            ("errors_count", &snapshot.errors.len().to_string()),
            ("say", &escaped(&sentence(facts))),
            ("cards", &cards(facts)),
            ("chart", &chart::chart(&snapshot.course, COURSE)),
            ("settings", &settings(facts.settings)),
            ("topics", &topics(snapshot)),
            ("partitions", &partitions(facts)),
            ("errors", &errors(facts)),
            ("version", env!("CARGO_PKG_VERSION")),
            ("time", &time_of_day(facts.wall)),
        ],
    )
}

fn is_well(snapshot: &Snapshot) -> bool {
    snapshot.health == Health::Moving
        && snapshot.readiness == Readiness::Ready
        && snapshot.partitions.stopped == 0
}

/// Puts each text where its name stands, in one pass: a text with a name in it is left alone.
fn fill(frame: &str, texts: &[(&str, &str)]) -> String {
    let mut page = String::with_capacity(frame.len() * 2);
    let mut rest = frame;
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let (name, behind) = after.split_once("}}").unwrap_or((after, ""));
        let text = texts.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
        debug_assert!(text.is_some(), "the frame names `{name}`");
        page.push_str(text.unwrap_or_default());
        rest = behind;
    }
    page.push_str(rest);
    page
}

/// What is wrong, or that nothing is.
fn sentence(facts: &Facts<'_>) -> String {
    let snapshot = facts.snapshot;
    let mut said = Vec::new();
    if matches!(snapshot.health, Health::Stuck(_)) {
        said.push(snapshot.health.to_string());
    }
    if snapshot.readiness != Readiness::Ready {
        said.push(snapshot.readiness.to_string());
    }
    if let Reach::Failing { since, .. } = snapshot.store {
        let silent = facts.uptime.since(since).as_secs();
        said.push(format!("s3 failing for {}", span(silent)));
    }
    match snapshot.partitions.stopped {
        0 => {}
        1 => said.push("1 partition waits for a person, see below".to_owned()),
        many => said.push(format!("{many} partitions wait for a person, see below")),
    }
    if said.is_empty() { "Everything is as it should be.".to_owned() } else { said.join("; ") }
}

fn cards(facts: &Facts<'_>) -> String {
    let Facts { snapshot, totals, .. } = facts;
    let sums = &snapshot.partitions;
    let rate = snapshot.records_per_second.map_or("–".to_owned(), |rate| {
        if rate < 10.0 { format!("{rate:.1}") } else { grouped(rate.round() as u64) }
    });
    let written =
        format!("{} in all, {}", grouped(totals.written_records), bytes(totals.written_bytes));
    let partitions = format!("{} stopped", grouped(sums.stopped as u64));
    let open = format!("{} records", grouped(sums.open_records));
    let quarantined = format!("{} quarantined", grouped(totals.quarantined_records));
    let group = match totals.rebalances {
        1 => "1 rebalance".to_owned(),
        many => format!("{} rebalances", grouped(many)),
    };
    let mut html = String::new();
    card(&mut html, "Records per second", &rate, &written);
    let behind = sums.behind_s.map_or("records not yet committed".to_owned(), |behind| {
        format!("records not yet committed, for {} at most", span(behind))
    });
    card(&mut html, "Lag", &grouped(sums.lag), &behind);
    card(&mut html, "Partitions", &grouped(sums.held as u64), &partitions);
    card(&mut html, "Objects", &grouped(totals.written_objects), &quarantined);
    card(&mut html, "Open batches", &bytes(sums.open_bytes), &open);
    memory_card(&mut html, totals);
    let member = format!("<span class=\"words\">{}</span>", escaped(&snapshot.member));
    card(&mut html, "Group", &member, &group);
    card(&mut html, "Uptime", &span(facts.uptime.since_start().as_secs()), "");
    html
}

/// `value` and `more` are HTML.
fn card(html: &mut String, name: &str, value: &str, more: &str) {
    push(html, format_args!("<div class=\"card\"><dt>{name}</dt><dd>{value}</dd>"));
    if !more.is_empty() {
        push(html, format_args!("<dd class=\"more\">{more}</dd>"));
    }
    html.push_str("</div>\n");
}

fn memory_card(html: &mut String, totals: &Totals) {
    let (used, limit) = (totals.memory_used_bytes, totals.memory_limit_bytes);
    if limit == 0 {
        return card(html, "Memory of the budget", &bytes(used), "");
    }
    let percent = (used.saturating_mul(100) / limit).min(100);
    let of = format!(
        "of {}<span class=\"bar\" style=\"display:block\"><i style=\"width:{percent}%\"></i></span>",
        bytes(limit)
    );
    card(html, "Memory of the budget", &bytes(used), &of);
}

fn topics(snapshot: &Snapshot) -> String {
    if snapshot.topics.is_empty() {
        return "<p class=\"none\">Of none is a partition assigned to this process.</p>".to_owned();
    }
    let mut html = String::from(
        "<table><thead><tr><th>Topic</th><th>Partitions</th><th>Stopped</th><th>Lag</th>\
         <th>Behind</th><th>Open</th></tr></thead>\n",
    );
    for (topic, sums) in &snapshot.topics {
        let topic = escaped(topic.as_str());
        push(&mut html, format_args!("<tbody><tr><td>{topic}</td>"));
        let cells = [
            ("Partitions", grouped(sums.held as u64)),
            ("Stopped", grouped(sums.stopped as u64)),
            ("Lag", grouped(sums.lag)),
            ("Behind", sums.behind_s.map_or("–".to_owned(), span)),
            ("Open", bytes(sums.open_bytes)),
        ];
        for (name, value) in cells {
            push(&mut html, format_args!("<td data-name=\"{name}\">{value}</td>"));
        }
        html.push_str("</tr></tbody>\n");
    }
    html.push_str("</table>\n");
    html
}

fn partitions(facts: &Facts<'_>) -> String {
    let snapshot = facts.snapshot;
    if snapshot.rows.is_empty() {
        return "<p class=\"none\">None is assigned to this process.</p>".to_owned();
    }
    let mut html = String::from(
        "<table><thead><tr><th>Partition</th><th class=\"left\">State</th><th>Lag</th><th>Behind</th>\
         <th>Consumed</th><th>Published</th><th>Committed</th><th>End</th><th>Open</th>\
         <th class=\"left\">Last object</th></tr></thead>\n",
    );
    for (partition, row) in &snapshot.rows {
        partition_row(&mut html, (partition, row), facts);
    }
    html.push_str("</table>\n");
    let more = snapshot.partitions.held.saturating_sub(snapshot.rows.len());
    if more > 0 {
        let more = grouped(more as u64);
        push(&mut html, format_args!("<p class=\"none\">and {more} more that are better off</p>"));
    }
    html
}

fn partition_row(
    html: &mut String,
    (partition, row): (&TopicPartition, &PartitionRow),
    facts: &Facts<'_>,
) {
    let class = if row.stopped.is_some() { "bad" } else { "" };
    push(
        html,
        format_args!(
            "<tbody><tr><td>{}</td><td class=\"left\"><span class=\"tag {class}\">{}</span></td>",
            escaped(&partition.to_string()),
            escaped(row.state),
        ),
    );
    let lag = row.lag().map_or("–".to_owned(), grouped);
    let cells = [
        ("Lag", lag),
        ("Behind", row.behind_s(facts.wall).map_or("–".to_owned(), span)),
        ("Consumed", offset(row.consumed)),
        ("Published", offset(row.published)),
        ("Committed", offset(row.committed)),
        ("End", offset(row.log_end)),
        ("Open", bytes(row.open_bytes)),
    ];
    for (name, value) in cells {
        push(html, format_args!("<td data-name=\"{name}\">{value}</td>"));
    }
    let key = row.last_key.as_ref().map_or(Cow::Borrowed(""), |key| escaped(facts.keys.name(key)));
    push(html, format_args!("<td class=\"key\">{key}</td></tr>"));
    if let Some(stopped) = &row.stopped {
        let text = facts.keys.fill_in(&stopped.text, stopped.key.as_ref());
        push(
            html,
            format_args!(
                "<tr><td class=\"why\" colspan=\"10\"><span>{}</span> {}</td></tr>",
                escaped(stopped.reason),
                escaped(&text),
            ),
        );
    }
    html.push_str("</tbody>\n");
}

fn errors(facts: &Facts<'_>) -> String {
    let (errors, wall) = (&facts.snapshot.errors, facts.wall);
    if errors.is_empty() {
        return "<p class=\"none\">None since the start.</p>".to_owned();
    }
    let mut html = String::new();
    for error in errors {
        let ago = wall.millis().saturating_sub(error.at.millis()) / 1_000;
        push(
            &mut html,
            format_args!(
                "<div class=\"error\"><span class=\"tag bad\">{}</span> \
                 <time>{} UTC, {} ago</time>",
                escaped(error.kind),
                time_of_day(error.at),
                span(u64::try_from(ago).unwrap_or(0)),
            ),
        );
        if error.count > 1 {
            push(&mut html, format_args!("<small>, {} times</small>", grouped(error.count)));
        }
        let text = facts.keys.fill_in(&error.text, error.key.as_ref());
        let (text, remedy) = (escaped(&text), escaped(&error.remedy));
        push(&mut html, format_args!("<p>{text}</p>"));
        if !remedy.is_empty() {
            push(&mut html, format_args!("<p><b>What to do:</b> {remedy}</p>"));
        }
        html.push_str("</div>\n");
    }
    html
}

fn settings(shown: &[Shown]) -> String {
    let mut html = String::from(
        "<table class=\"plain\"><thead><tr><th>Key</th><th class=\"left\">Value</th>\
         <th class=\"left\">From</th></tr></thead>\n<tbody>",
    );
    for Shown { key, value, origin } in shown {
        let (key, value, from) = (escaped(key), escaped(value), origin.as_str());
        push(
            &mut html,
            format_args!(
                "<tr><td>{key}</td><td class=\"key\">{value}</td><td class=\"left\">{from}</td></tr>\n"
            ),
        );
    }
    html.push_str("</tbody></table>\n");
    html
}

fn push(html: &mut String, text: std::fmt::Arguments<'_>) {
    html.push_str(&std::fmt::format(text));
}

/// Returns the text for any place between tags or inside quotes; control characters as `�`.
fn escaped(text: &str) -> Cow<'_, str> {
    let is_special = |letter: char| matches!(letter, '&' | '<' | '>' | '"' | '\'');
    if !text.chars().any(|letter| is_special(letter) || letter.is_control()) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(' '),
            letter if letter.is_control() => safe.push(char::REPLACEMENT_CHARACTER),
            letter => safe.push(letter),
        }
    }
    Cow::Owned(safe)
}

fn offset(offset: Option<Offset>) -> String {
    let known = offset.and_then(|offset| u64::try_from(offset.value()).ok());
    known.map_or("–".to_owned(), grouped)
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec().to_string()
}

/// The two largest units of a span.
fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        (_, _, _) => format!("{days} d {} h", hours % 24),
    }
}

fn time_of_day(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.millis())
        .map_or("–".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests;
