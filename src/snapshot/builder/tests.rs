//! Which slides end up in which file, and that it is always the same one.

use std::io::Read;

use flate2::read::GzDecoder;

use super::*;
use crate::snapshot::tests::{plan, slides};

fn built(slides: &[Slide], last_ms: Option<Millis>) -> Vec<File> {
    let mut builder = Builder::new(plan(), last_ms);
    let mut files: Vec<File> = slides.iter().flat_map(|slide| builder.push(slide)).collect();
    files.extend(builder.finish());
    files
}

fn text(bytes: &Bytes) -> String {
    let mut text = String::new();
    GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    text
}

/// Slides of 1 s, windows each 2 s, files each 10 s.
#[test]
fn files_end_with_their_roll_and_hold_every_slide() {
    let slides = slides(5, 1..=27);
    let files = built(&slides, None);
    let ends: Vec<_> = files.iter().map(|file| (file.name.first_ms, file.name.last_ms)).collect();
    assert_eq!(ends, [(2_000, 10_000), (12_000, 20_000), (22_000, 26_000)]);
    let mut numbers = Vec::new();
    for file in &files {
        let facts = text(&file.ranges);
        let facts = facts.lines().map(|line| serde_json::from_str::<Facts>(line).unwrap());
        numbers.extend(facts.map(|facts| (facts.slide, facts.window.is_some())));
    }
    // The last one waits for the next written window.
    assert_eq!(numbers, (1..=26).map(|n| (n, n % 2 == 0)).collect::<Vec<_>>());
}

#[test]
fn a_roll_is_finished_by_the_first_slide_behind_it_when_its_last_one_is_not_there() {
    let mut slides = slides(5, 1..=40);
    slides.retain(|slide| !(9_000..=33_000).contains(&slide.end_ms));
    let mut builder = Builder::new(plan(), None);
    let mut finished = Vec::new();
    for slide in &slides {
        finished.extend(builder.push(slide).into_iter().map(|file| (slide.end_ms, file.name)));
    }
    let name = |first_ms, last_ms| FileName { first_ms, last_ms, gzip: true };
    assert_eq!(finished, [(34_000, name(2_000, 8_000)), (40_000, name(34_000, 40_000))]);
}

#[test]
fn one_slide_can_finish_two_files() {
    let mut slides = slides(5, 1..=20);
    slides.retain(|slide| slide.end_ms < 9_000 || slide.end_ms == 20_000);
    let mut builder = Builder::new(plan(), None);
    let finished: Vec<usize> = slides.iter().map(|slide| builder.push(slide).len()).collect();
    assert_eq!(finished, [0, 0, 0, 0, 0, 0, 0, 0, 2]);
}

#[test]
fn going_on_behind_a_file_makes_the_same_files() {
    let slides = slides(6, 1..=45);
    let whole = built(&slides, None);
    for last_ms in [10_000, 20_000, 30_000, 40_000] {
        let later = whole.iter().filter(|file| file.name.first_ms > last_ms).cloned().collect::<Vec<_>>();
        assert_eq!(built(&slides, Some(last_ms)), later, "behind {last_ms}");
    }
}

#[test]
fn content_of_a_file_is_as_it_was() {
    let file = built(&slides(1, 9..=12), None).remove(0);
    let latest = std::str::from_utf8(&file.latest).unwrap();
    insta::assert_snapshot!(text(&file.rows) + &text(&file.ranges) + latest, @r#"
    {"app":"TweetsApp","window_start_ms":4000,"window_end_ms":10000,"total":11,"complete":true,"rank":1,"key":null,"key_base64":null,"count":4}
    {"app":"TweetsApp","window_start_ms":4000,"window_end_ms":10000,"total":11,"complete":true,"rank":2,"key":"key 1","key_base64":null,"count":1}
    {"app":"TweetsApp","window_start_ms":4000,"window_end_ms":10000,"total":11,"complete":true,"rank":3,"key":"key 14","key_base64":null,"count":1}
    {"app":"TweetsApp","window_start_ms":4000,"window_end_ms":10000,"total":11,"complete":true,"rank":4,"key":"key 4","key_base64":null,"count":1}
    {"slide":9,"end_ms":9000,"attempt":1,"total":3,"complete":true,"whole":9,"ranges":{"tweets/0":[5,8]}}
    {"slide":10,"end_ms":10000,"attempt":1,"total":8,"complete":true,"whole":10,"ranges":{"tweets/0":[8,16]},"window":{"slides":2,"keys":4}}
    {"app":"TweetsApp","attempt":1,"window_start_ms":4000,"window_end_ms":10000,"total":11,"distinct":8,"complete":true,"behind_ms":0,"unread":[],"top":[{"key":null,"count":4},{"key":"key 1","count":1},{"key":"key 14","count":1},{"key":"key 4","count":1}],"ranges":{"tweets/0":[8,16]}}
    "#);
}

#[test]
fn compressed_bytes_tell_no_time() {
    let file = built(&slides(1, 1..=4), None).remove(0);
    // RFC 1952: the time of a file's content stands in bytes 4 to 7, 0 is none; byte 3 has no name or comment.
    assert_eq!(file.rows[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
}

/// Ends are put back between slide 9 and slide 10: those up to slide 14 are passed over.
#[test]
fn slides_that_were_passed_over_are_told_and_lost_ones_are_not() {
    for lost in [false, true] {
        let mut builder = Builder::new(plan(), Some(9_000)).behind(Some(9));
        let mut facts = Vec::new();
        for slide in slides(5, 10..=20) {
            if lost && slide.number == 15 {
                builder.lost();
            }
            let put_back = Slide { end_ms: slide.end_ms - 5_000, window: None, ..slide };
            assert!(builder.push(&put_back).is_empty());
            facts.extend(Facts::last_of(builder.between.clone().into(), false));
        }
        facts.dedup();
        let told: Vec<_> = facts.iter().map(|facts| (facts.slide, facts.relabeled)).collect();
        let wanted: Vec<_> = (15..=20).map(|number| (number, number == 15 && !lost)).collect();
        assert_eq!(told, wanted, "lost: {lost}");
    }
}
