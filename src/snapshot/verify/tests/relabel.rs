//! Snapshots of a job whose window ends were put back: none is there twice, and that some slides are nowhere is no
//! damage.

use super::*;
use crate::snapshot::{Event, Setup, Slide};

/// By how much ends are put back, milliseconds: slide 31 ends at 13 s, slide 48 at 30 s, which is visible already.
const BY_MS: Millis = 18_000;

/// The epoch whose driver does it.
const RELABELS: u64 = 2;

fn put_back(numbers: std::ops::RangeInclusive<u64>) -> Vec<Slide> {
    slides(5, numbers).into_iter().map(|slide| Slide { end_ms: slide.end_ms - BY_MS, ..slide }).collect()
}

/// Has these slides written by a driver that went on after `until_ms`; stops it gracefully if it is to.
async fn go_on(place: &Place, epoch: u64, until_ms: Millis, told: Vec<Slide>, gracefully: bool) {
    let (mut writer, mut events) =
        start(Setup { until_ms: Some(until_ms), relabeled: epoch == RELABELS, ..setup(place, epoch) });
    for slide in told {
        let end_ms = slide.end_ms;
        writer.closed(slide);
        writer.durable(end_ms);
    }
    if !gracefully {
        return;
    }
    writer.close();
    let mut told = Vec::new();
    while let Some(event) = events.recv().await {
        told.push(event);
    }
    assert_eq!(told.last(), Some(&Event::Closed));
    assert!(!told.iter().any(|event| matches!(event, Event::Lost(_))), "{told:?}");
}

fn expected() -> Vec<(Millis, Verdict)> {
    let first = "the ranges of its first slides are not there".to_owned();
    let verdict = |end| match end {
        32 | 34 => Verdict::Unverifiable(first.clone()),
        _ => Verdict::Equal,
    };
    (1..=21).map(|n| (2 * n, verdict(2 * n))).collect()
}

#[tokio::test]
async fn ends_that_are_visible_are_not_written_again() {
    let directory = scratch();
    let store = written(directory.path()).await;
    let place = Place::new(directory.path(), &Arc::default());
    go_on(&place, RELABELS, 30_000, put_back(31..=60), true).await;
    let found = verdicts(found(&store, &mut Topic::new(5, 60), ALL).await);
    assert_eq!(found, expected());
}

#[tokio::test]
async fn a_restart_meanwhile_changes_nothing() {
    let directory = scratch();
    let store = written(directory.path()).await;
    let place = Place::new(directory.path(), &Arc::default());
    let mut first = put_back(31..=60);
    let mut second = first.split_off(10);
    go_on(&place, RELABELS, 30_000, first, false).await;
    // It comes back when its ends are no longer visible ones.
    go_on(&place, 3, 22_000, second.split_off(8), true).await;
    let found = verdicts(found(&store, &mut Topic::new(5, 60), ALL).await);
    assert_eq!(found, expected());
}
