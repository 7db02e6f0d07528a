//! Wall clocks that were set back: what a restart does with a checkpoint whose window ends are ahead of now.

use spindle::clock::Clock;
use tempfile::TempDir;

use crate::checkpoint::{Driver, Place};
use crate::job::Job;
use crate::mock::Mock;
use crate::snapshots::{self, verify};

const SLIDE_MS: i64 = 1_000;
/// Slides of the driver before the clock was set back, one record in each.
const SLIDES: u64 = 10;
/// The first windows come soon, though not the first at once.
const SOON_MS: i64 = 20_000;

fn place(directory: &TempDir, what: &str) -> String {
    format!("file://{}/{what}", directory.path().display())
}

/// Window ends that begin so much after now, in a checkpoint over the mock's topic; returns the last of them.
async fn ends_ahead(mock: &mut Mock, directory: &TempDir, ahead_ms: i64) -> i64 {
    (1..=SLIDES).for_each(|number| mock.writer.to(0, Some(format!("slide {number}").as_bytes())));
    mock.writer.flush();
    let begin_ms = (Clock::start().wall_ms() + ahead_ms).div_euclid(SLIDE_MS) * SLIDE_MS;
    Driver::start_at(&Place(place(directory, "c")), begin_ms).await.write(SLIDES).await;
    begin_ms + SLIDES.cast_signed() * SLIDE_MS
}

fn job(mock: &Mock, directory: &TempDir) -> Job {
    let place = place(directory, "c");
    mock.job().set("window.length", "60s").set("window.slide", "1s").set("checkpoint.path", &place)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_at_once_from_ends_that_are_far_ahead() {
    let (mut mock, directory) = (Mock::new(1, 1), TempDir::new().unwrap());
    let last_ms = ends_ahead(&mut mock, &directory, 3_600_000).await;
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

/// The way back: the window is the same, its ends are the wall clock's, and snapshots go on where they were.
#[tokio::test(flavor = "multi_thread")]
async fn relabel_names_windows_by_the_clock_again() {
    let (mut mock, directory) = (Mock::new(1, 1), TempDir::new().unwrap());
    ends_ahead(&mut mock, &directory, 0).await;
    let snapshots = place(&directory, "s");
    let job = || {
        let job = job(&mock, &directory).set("snapshots.path", &snapshots);
        job.set("snapshots.every", "1s").set("snapshots.roll", "5s")
    };
    let mut ahead = job().start();
    ahead.until("three windows", |seen| seen.windows.len() >= 3);
    let ahead = ahead.finish();
    let visible = ahead.windows.last().unwrap();
    assert_eq!(visible.total, SLIDES);

    let mut put_right = job().arg("--from").arg("checkpoint").arg("--relabel").start();
    put_right.until("a window", |seen| !seen.windows.is_empty());
    let first = put_right.seen.windows[0].clone();
    assert!(first.window_end_ms < visible.window_end_ms, "{first:?} after {visible:?}");
    assert!(first.window_end_ms <= first.arrived_ms, "{first:?}");
    assert_eq!((first.total, first.attempt), (SLIDES, visible.attempt + 1), "{first:?}");
    assert_eq!(put_right.seen.logs("--relabel: window ends of the checkpoint are put back"), 1);
    assert_eq!(put_right.seen.logs("snapshots show everything under the old window ends"), 1);
    let new_ms = visible.window_end_ms + 3 * SLIDE_MS;
    put_right
        .until("ends that no snapshot shows", |seen| seen.windows.last().unwrap().window_end_ms >= new_ms);
    put_right.finish().assert_whole();

    let (_dir, file) = snapshots::job(&mock.cluster.bootstrap_servers(), "t", &snapshots, "");
    let (code, told, said) = verify(&file, &[]);
    assert_eq!(code, Some(0), "{told}{said}");
    assert!(told.contains(" 0 differ, ") && told.contains(" 0 missing, 0 there twice; 0 breaks"), "{told}");
}
