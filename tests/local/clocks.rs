//! Wall clocks that were set back: what a restart does with a checkpoint whose window ends are ahead of now.

use spindle::clock::Clock;
use tempfile::TempDir;

use crate::checkpoint::{Driver, Place};
use crate::job::Job;
use crate::mock::Mock;

const HOUR_MS: i64 = 3_600_000;
const SLIDE_MS: i64 = 1_000;
/// Slides of the driver before the clock was set back, one record in each.
const SLIDES: u64 = 10;
/// The first windows come soon, though not the first at once.
const SOON_MS: i64 = 20_000;

fn place(directory: &TempDir) -> String {
    format!("file://{}/c", directory.path().display())
}

/// Window ends of an hour from now, in a checkpoint over the mock's topic; returns the last of them.
async fn ends_ahead(mock: &mut Mock, directory: &TempDir) -> i64 {
    mock.write(u32::try_from(SLIDES).unwrap());
    let begin_ms = (Clock::start().wall_ms() + HOUR_MS).div_euclid(SLIDE_MS) * SLIDE_MS;
    Driver::start_at(&Place(place(directory)), begin_ms).await.write(SLIDES).await;
    begin_ms + SLIDES.cast_signed() * SLIDE_MS
}

fn job(mock: &Mock, directory: &TempDir) -> Job {
    let place = place(directory);
    mock.job().set("window.length", "60s").set("window.slide", "1s").set("checkpoint.path", &place)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_at_once_from_ends_that_are_far_ahead() {
    let (mut mock, directory) = (Mock::new(1, 1), TempDir::new().unwrap());
    let last_ms = ends_ahead(&mut mock, &directory).await;
    let total = mock.write(5);
    let mut job = job(&mock, &directory).start();
    job.until_total(total);
    let first_ms = job.seen.windows[0].window_end_ms;
    assert!((last_ms + SLIDE_MS..last_ms + SOON_MS).contains(&first_ms), "{first_ms} after {last_ms}");
    job.until("two windows more", |seen| seen.windows.len() >= 3);
    assert_eq!(job.seen.logs("s ahead of the wall clock, which was set back"), 1, "{}", job.seen);
    assert!(!job.seen.windows[0].complete, "{}", job.seen);
    job.finish().assert_whole();
}
