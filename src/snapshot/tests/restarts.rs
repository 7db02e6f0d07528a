//! Restarts between any two slides, with and without notice: the same windows, each once.

use std::path::Path;
use std::sync::Arc;

use super::super::*;
use super::world::*;
use crate::checkpoint;
use crate::ids::Millis;
use crate::store::tests::scratch;

fn calm(directory: &Path) -> Place {
    Place::new(directory, &Arc::default())
}

#[tokio::test]
async fn a_crash_at_every_slide_leaves_the_same_files_as_none() {
    let wanted = expected(5, 40);
    for at in 1..=39 {
        let directory = scratch();
        let mut first = Driver::start(&calm(directory.path()), 1, 5).await;
        first.slides(at).await;
        drop(first);
        let mut second = Driver::start(&calm(directory.path()), 2, 5).await;
        second.slides(40 - at).await;
        assert_eq!(second.until(40_000).await, None);
        assert_eq!(files(directory.path()), wanted, "killed behind slide {at}");
    }
}

#[tokio::test]
async fn a_crash_after_each_slide_leaves_the_same_files_as_none() {
    let directory = scratch();
    for attempt in 1..=40 {
        let mut driver = Driver::start(&calm(directory.path()), attempt, 9).await;
        driver.slides(1).await;
    }
    let mut last = Driver::start(&calm(directory.path()), 41, 9).await;
    assert_eq!(last.until(40_000).await, None);
    assert_eq!(files(directory.path()), expected(9, 40));
}

#[tokio::test]
async fn a_graceful_stop_at_every_slide_leaves_every_window_once() {
    for at in 1..=39 {
        let directory = scratch();
        let mut first = Driver::start(&calm(directory.path()), 1, 5).await;
        first.slides(at).await;
        assert_eq!(first.stop().await, Some(Event::Closed));
        let stopped = windows(&files(directory.path()));
        assert_eq!(stopped.len() as u64, at / 2, "everything up to slide {at} is visible after a stop");
        let mut second = Driver::start(&calm(directory.path()), 2, 5).await;
        second.slides(40 - at).await;
        assert_eq!(second.until(40_000).await, None);
        let (got, wanted) = (files(directory.path()), expected(5, 40));
        assert_eq!(windows(&got), windows(&wanted), "stopped behind slide {at}");
        if at.is_multiple_of(10) {
            assert_eq!(got, wanted);
        }
    }
}

#[tokio::test]
async fn slides_that_were_not_durable_are_not_in_any_file() {
    let directory = scratch();
    let place = calm(directory.path());
    let mut driver = Driver::start(&place, 1, 5).await;
    driver.slides(9).await;
    let (_, told) = driver.counter.count();
    driver.writer.closed(told);
    assert_eq!(driver.stop().await, Some(Event::Closed));
    let ends: Vec<_> = windows(&files(directory.path())).iter().map(|window| window.end_ms).collect();
    assert_eq!(ends, [2_000, 4_000, 6_000, 8_000]);
}

#[tokio::test]
async fn what_is_closed_waits_until_it_is_durable() {
    let directory = scratch();
    let (mut writer, mut events) = start(setup(&calm(directory.path()), 1));
    slides(5, 1..=4).into_iter().for_each(|slide| writer.closed(slide));
    writer.durable(3_000);
    writer.close();
    while events.recv().await.is_some() {}
    let ends: Vec<_> = windows(&files(directory.path())).iter().map(|window| window.end_ms).collect();
    assert_eq!(ends, [2_000]);
}

#[tokio::test]
async fn a_writer_that_missed_a_take_over_is_fenced_before_it_can_add_a_file() {
    let directory = scratch();
    let place = calm(directory.path());
    let mut old = Driver::start(&place, 1, 5).await;
    old.slides(9).await;
    let mut new = Driver::start(&place, 2, 5).await;
    new.slides(15).await;
    new.until(20_000).await;
    // A graceful stop now would make a file of windows 2 to 8 s beside the one of 2 to 10 s.
    let Driver { writer, mut events, .. } = old;
    writer.close();
    let mut last = None;
    while let Some(event) = events.recv().await {
        last = Some(event);
    }
    assert_eq!(last, Some(Event::Fenced));
    assert_eq!(files(directory.path()), expected(5, 24));
}

#[tokio::test]
async fn a_late_writer_sees_that_a_later_one_has_begun() {
    let directory = scratch();
    let place = calm(directory.path());
    let owner = |epoch| Owner { checkpoint: "x".to_owned(), epoch };
    claim::take(&place.snapshots, &plan(), &owner(2)).await.unwrap();
    let late = claim::take(&place.snapshots, &plan(), &owner(1)).await;
    assert!(matches!(late, Err(claim::Refused::Fenced)));
    claim::take(&place.snapshots, &plan(), &owner(2)).await.unwrap();
}

#[tokio::test]
async fn another_jobs_directory_is_left_alone() {
    let directory = scratch();
    let place = calm(directory.path());
    let mut driver = Driver::start(&place, 1, 5).await;
    driver.slides(10).await;
    driver.until(10_000).await;
    let other = Plan { app: "Other".to_owned(), ..plan() };
    let refused =
        claim::take(&place.snapshots, &other, &Owner { checkpoint: "y".to_owned(), epoch: 9 }).await;
    assert!(matches!(refused, Err(claim::Refused::Foreign(app)) if app == "TweetsApp"));
    driver.slides(10).await;
    assert_eq!(driver.until(20_000).await, None, "and its writer goes on");
}

/// By how much ends are put back behind slide 27, and where the clock is then.
const PUT_BACK_MS: Millis = 15_000;
const NOW_MS: Millis = 12_300;

/// Where a driver that puts ends back is killed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Killed {
    /// Before the past is visible.
    Held,
    /// Before the new ends are durable.
    Settled,
    /// Before its first slide.
    Based,
    /// Behind so many.
    Slides(u64),
}

/// Attempt `attempt` of the application that puts ends back.
async fn later(place: &Place, attempt: u32) -> checkpoint::Opened {
    let owner = checkpoint::samples::owner("later", attempt);
    let asked = checkpoint::Opening { relabel: true, owner, ..opening(attempt) };
    let has_ended = Arc::new(|_: &checkpoint::Owner| Some(true));
    checkpoint::open(place.checkpoint.clone(), asked, has_ended).await.unwrap()
}

/// The first driver leaves windows that are durable and not visible. Each of the next is killed somewhere, the last one
/// stops gracefully. Returns every window's end and total.
async fn put_back(killed: &[Killed]) -> Vec<(Millis, u64)> {
    let directory = scratch();
    let place = calm(directory.path());
    let mut first = Driver::start(&place, 1, 5).await;
    first.slides(27).await;
    first.until(20_000).await;
    drop(first);
    let (mut done, mut left) = (false, 30);
    for (attempt, killed) in (1..).zip(killed) {
        let opened = later(&place, attempt).await;
        let mut driver = if done {
            Driver::relabeled(opened, &place, 5, -PUT_BACK_MS)
        } else {
            Driver::relabel(opened, &place, 5, NOW_MS)
        };
        if !done && *killed != Killed::Held {
            driver.settled().await;
        }
        match killed {
            Killed::Held if !done => driver.die_with_the_first_base_held().await,
            Killed::Held | Killed::Settled => {}
            Killed::Based | Killed::Slides(_) if !done => {
                driver.put_back().await;
                done = true;
                if let Killed::Slides(slides) = killed {
                    driver.slides(*slides).await;
                    left -= slides;
                }
            }
            Killed::Based => {}
            Killed::Slides(slides) => {
                driver.slides(*slides).await;
                left -= slides;
            }
        }
    }
    let opened = later(&place, 9).await;
    let mut last = if done {
        Driver::relabeled(opened, &place, 5, -PUT_BACK_MS)
    } else {
        let mut driver = Driver::relabel(opened, &place, 5, NOW_MS);
        driver.settled().await;
        driver.put_back().await;
        driver
    };
    last.slides(left).await;
    assert_eq!(last.stop().await, Some(Event::Closed), "{killed:?}");
    let files = files(directory.path());
    assert_chain(&facts(&files), killed);
    windows(&files).iter().map(|window| (window.end_ms, window.total)).collect()
}

/// Slides follow each other, and the one gap says what it is: `verify` finds no damage.
fn assert_chain(facts: &[Facts], killed: &[Killed]) {
    let mut gaps = 0;
    for two in facts.windows(2) {
        let is_gap = two[1].slide != two[0].slide + 1;
        assert_eq!(two[1].relabeled, is_gap, "{killed:?}: slide {} behind {}", two[1].slide, two[0].slide);
        gaps += u32::from(is_gap);
    }
    assert_eq!(gaps, 1, "{killed:?}");
}

/// Every window under its old end, and new ones behind the last of those.
fn all_windows() -> Vec<(Millis, u64)> {
    let total = |end_ms: Millis| {
        let put_back_ms = if end_ms > 26_000 { PUT_BACK_MS } else { 0 };
        let last = ((end_ms + put_back_ms) / SLIDE_MS).unsigned_abs();
        let slides = last.saturating_sub(LENGTH_MS.unsigned_abs() / SLIDE_MS.unsigned_abs()) + 1..=last;
        slides.map(|slide| Counter::records(5, slide).len() as u64).sum()
    };
    (1..=21).map(|n| 2_000 * n).map(|end_ms| (end_ms, total(end_ms))).collect()
}

/// A driver that was killed left windows that were not visible. They become so under their old ends, at once; new ones go
/// on behind them.
#[tokio::test]
async fn ends_that_are_put_back_hide_no_window_of_the_past() {
    assert_eq!(put_back(&[]).await, all_windows());
}

#[tokio::test]
async fn a_driver_that_puts_ends_back_loses_no_window_wherever_it_is_killed() {
    let places = [
        Killed::Held,
        Killed::Settled,
        Killed::Based,
        Killed::Slides(1),
        Killed::Slides(5),
        Killed::Slides(14),
        Killed::Slides(16),
    ];
    for first in places {
        assert_eq!(put_back(&[first]).await, all_windows(), "killed: {first:?}");
        for second in
            places.into_iter().filter(|second| (first, *second) != (Killed::Slides(16), Killed::Slides(16)))
        {
            assert_eq!(put_back(&[first, second]).await, all_windows(), "killed: {first:?}, {second:?}");
        }
    }
}
