//! Effects and windows in words, one line each, for scenario files.

use spindle::count::{RankedKey, Window};
use spindle::driver::state::{Effect, Event, Outcome, Stop};
use spindle::ids::{Partition, Position, Session};
use spindle::wire::message::ToExecutor;

/// What an effect looks like in a scenario; nothing for what scenarios do not show.
pub(super) fn effect(effect: &Effect) -> Vec<String> {
    match effect {
        Effect::Welcome(session) => vec![format!("welcome {}", name(*session))],
        Effect::Send(session, message) => vec![format!("{} <- {}", name(*session), sent(message))],
        Effect::End(session, reason) => vec![format!("end {}: {reason}", name(*session))],
        Effect::Target(target) => {
            let slots = target.slots.iter().map(|(slot, generation)| format!(" {}.{}", slot.0, generation.0));
            vec![format!("target {}:{}", target.revision, slots.collect::<String>())]
        }
        Effect::Print(window) => self::window(window),
        Effect::Slide(_) => Vec::new(),
        Effect::Keep(slide, _) => {
            let ranges = slide.ranges.iter().map(|(p, from, until)| format!(" {p} {from}-{}", until.offset));
            let records: u64 = slide.counts.iter().map(|(_, bucket)| bucket.total()).sum();
            vec![format!("keep {}: {records} records{}", slide.end_ms, ranges.collect::<String>())]
        }
        Effect::Base(base) => {
            let after = base.end_ms.map_or("the start".to_owned(), |end_ms| end_ms.to_string());
            vec![format!("base after {after}{}", list(&base.positions))]
        }
        Effect::Commit(positions) => vec![format!("commit{}", list(positions))],
        Effect::Look(number) => vec![format!("look {number}")],
        Effect::Event(event) => vec![noticed(event)],
        Effect::Finish(Outcome::Stopped(Stop::Clean)) => vec!["finish: stopped, clean".into()],
        Effect::Finish(Outcome::Stopped(Stop::Unfinished)) => vec!["finish: stopped at the deadline".into()],
        Effect::Finish(Outcome::Stopped(Stop::Uncommitted)) => vec!["finish: stopped, not committed".into()],
        Effect::Finish(Outcome::Failed(reason)) => vec![format!("finish: failed: {reason}")],
    }
}

pub(super) fn name(session: Session) -> String {
    format!("{}.{}", session.slot.0, session.generation.0)
}

fn list(positions: &[(Partition, Position)]) -> String {
    let one = |(partition, position): &(Partition, Position)| {
        let id = position.topic_id.map_or(String::new(), |id| format!("[id {}]", id.0[0]));
        format!(" {partition}@{}{id}", position.offset)
    };
    positions.iter().map(one).collect()
}

fn partitions(partitions: &[Partition]) -> String {
    partitions.iter().map(|partition| format!(" {partition}")).collect()
}

fn sent(message: &ToExecutor) -> String {
    match message {
        ToExecutor::Welcome(_) => "welcome".into(),
        ToExecutor::Assign(positions) => format!("assign{}", list(positions)),
        ToExecutor::Cut(cut) if cut.release.is_empty() => format!("cut {}", cut.number),
        ToExecutor::Cut(cut) => format!("cut {}, release{}", cut.number, partitions(&cut.release)),
        ToExecutor::Alive => "alive".into(),
        ToExecutor::End { reason } => format!("end: {reason}"),
    }
}

/// `window 11000: 3 records, 2 keys, complete` and, indented, ranking and ranges.
fn window(window: &Window) -> Vec<String> {
    let mut head = format!("window {}: {} records, {} keys", window.end_ms, window.total, window.distinct);
    if window.complete {
        head.push_str(", complete");
    }
    if window.behind_ms > 0 {
        head.push_str(&format!(", behind {} ms", window.behind_ms));
    }
    if !window.unread.is_empty() {
        head.push_str(&format!(", unread{}", partitions(&window.unread)));
    }
    let mut lines = vec![head];
    if !window.top.is_empty() {
        let top: Vec<_> = window.top.iter().map(ranked).collect();
        lines.push(format!("  {}", top.join(", ")));
    }
    if !window.ranges.is_empty() {
        let ranges =
            window.ranges.iter().map(|(partition, from, until)| format!(" {partition} {from}-{until}"));
        lines.push(format!("  read{}", ranges.collect::<String>()));
    }
    lines
}

fn ranked(ranked: &RankedKey) -> String {
    let key = match ranked.key.as_deref().map(std::str::from_utf8) {
        None => "null".to_owned(),
        Some(Ok(key)) if key != "null" && !key.is_empty() => key.to_owned(),
        Some(key) => format!("{:?}", key.unwrap_or("?")),
    };
    format!("{} {key}", ranked.count)
}

fn noticed(event: &Event) -> String {
    match event {
        Event::SessionOpened(session) => format!("opened {}", name(*session)),
        Event::SessionEnded(session, reason) => format!("ended {}: {}", name(*session), reason.label()),
        Event::StartFailed(slot, generation, how) => {
            format!("start of {}.{} failed: {how}", slot.0, generation.0)
        }
        Event::Lost(loss) => format!("lost: {loss}"),
        Event::PartitionAdded(partition, offset) => format!("added {partition}@{offset}"),
        Event::Gone(partition) => format!("gone {partition}"),
        Event::PartitionLeft(partition) => format!("left {partition}"),
        Event::BeginsLater(partition, offset) => format!("begins later {partition}@{offset}"),
        Event::HeldBack(partition, records) => format!("held back {partition}: {records}"),
        Event::Unkeyed(reason, records) => format!("unkeyed {records}: {reason}"),
        Event::CommitRefused => "commit refused".into(),
        Event::MemoryHigh { .. } => "memory high".into(),
        Event::SlidesSkipped(slides) => format!("{slides} slides skipped"),
    }
}
