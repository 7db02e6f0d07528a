//! Jetstream as it should be: what is asked for, where it goes on, and which gaps are seen.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use spindle::clock::Clock;
use spindle::config::producer::Source;
use spindle::config::producer::source::Jetstream;
use spindle::produce::event::{Kind, Overlap, Resume};
use spindle::produce::feed::{Feed, REWIND_MS, Reason, Repeats};

use spindle::produce::reconnect::SETTLED_AFTER;

use super::{Reading, jetstream, keywords, pass, sample_ms};
use crate::stub::{Archive, Speaks, Step, Stub};

const HOUR_US: u64 = 3_600_000_000;

fn names(text: &[(&str, &str)]) -> Vec<(String, String)> {
    text.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The cursor of each request that was not refused, in microseconds or as a number.
fn cursors(stub: &Stub) -> Vec<Option<u64>> {
    let served = stub.requests().into_iter().filter(|request| request.answered == 0);
    served.map(|request| request.parameter("cursor").map(|cursor| cursor.parse().unwrap())).collect()
}

fn compressed(source: Source) -> Source {
    let Source::Jetstream(config) = source else { panic!() };
    Source::Jetstream(Jetstream { compress: true, ..config })
}

/// Lets the connection live for so long that it is gone back to when it breaks; then lets it go on.
async fn settled(reading: &mut Reading, stub: &Stub, events: usize) {
    reading.events(events).await;
    pass(SETTLED_AFTER + Duration::from_secs(1)).await;
    stub.open();
}

fn rewound(archive: &Archive, at: usize) -> Option<u64> {
    Some(archive.samples[at].time_us - REWIND_MS.unsigned_abs() * 1_000)
}

#[tokio::test]
async fn the_same_host_is_gone_on_with_at_its_number_exactly() {
    let archive = Archive::of(10, 500);
    let script = vec![
        vec![Step::Accept, Step::Replay(4), Step::Close(1001, "server shutting down")],
        vec![Step::Accept, Step::Ping, Step::Replay(7), Step::Ping, Step::Silence],
    ];
    let stub = Stub::start(Speaks::JetstreamV2(archive.clone()), script);
    let mut reading = Reading::open(&jetstream(&[&stub], &[]), None);
    assert_eq!((reading.feed.repeats(), reading.feed.overlap()), (Repeats::ById, Overlap::Ms(REWIND_MS)));
    reading.events(11).await;
    assert_eq!(cursors(&stub), [None, Some(503)]);
    let first = stub.requests()[0].query();
    assert_eq!(first, names(&[("kinds", "commit"), ("collections", "app.bsky.feed.post")]));
    let posts = reading.posts();
    let ids: HashSet<_> = posts.iter().map(|post| post.id.unwrap()).collect();
    assert_eq!(
        (posts.len(), ids.len()),
        (11, 10),
        "the event at the cursor comes again, and is known by its id"
    );
    assert!(posts.iter().all(|post| post.keyword == Some(1)));
    let host: Arc<str> = format!("ws://{}", stub.address()).into();
    for (at, event) in reading.events[4..].iter().enumerate() {
        let (seq, time_us) = (Some(503 + at as u64), archive.samples[3 + at].time_us);
        assert_eq!(event.resume, Some(Resume::Jetstream { host: host.clone(), seq, time_us }));
    }
    assert_eq!(reading.count(Reason::Normal), 1);
    assert_eq!(reading.feed.health(), Ok(()));
    let seen = stub.until(|seen| seen.pongs == 2).await;
    assert_eq!(seen.texts, [""; 0], "nothing else is ever sent");
}

#[tokio::test]
async fn another_host_is_gone_on_with_by_the_time() {
    let (first, second) = (Archive::of(60, 500), Archive::of(60, 90_000));
    let left = Stub::start(
        Speaks::JetstreamV2(first.clone()),
        vec![
            vec![Step::Accept, Step::Replay(29), Step::Gate, Step::Replay(1), Step::Cut],
            vec![Step::Status(503, vec![], String::new())],
        ],
    );
    let found =
        Stub::start(Speaks::JetstreamV2(second), vec![vec![Step::Accept, Step::Replay(31), Step::Silence]]);
    let mut reading = Reading::open(&jetstream(&[&left, &found], &[]), None);
    settled(&mut reading, &left, 29).await;
    reading.events(61).await;
    assert_eq!((cursors(&left), cursors(&found)), (vec![None, Some(529)], vec![rewound(&first, 29)]));
    let ids: HashSet<_> = reading.posts().iter().map(|post| post.id).collect();
    assert_eq!(ids.len(), 50, "posts 19 to 29 came twice, under the same ids");
    assert_eq!(reading.gaps(), []);
    // Where it went on is no step back in time, and from its own host on it has numbers again.
    let times: Vec<_> = reading.events.iter().map(|event| event.resume.as_ref().unwrap().time_ms()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let Some(Resume::Jetstream { host, seq, .. }) = reading.resume() else { panic!() };
    assert_eq!((host.ends_with(&found.address()), seq), (true, Some(90_049)));
}

#[tokio::test]
async fn after_a_restart_it_goes_back_to_the_host_that_numbered() {
    let archive = Archive::of(10, 500);
    let other = Stub::start(Speaks::JetstreamV2(archive.clone()), vec![]);
    let stub =
        Stub::start(Speaks::JetstreamV2(archive), vec![vec![Step::Accept, Step::Replay(3), Step::Silence]]);
    let host = format!("ws://{}", stub.address()).into();
    let resume = Resume::Jetstream { host, seq: Some(504), time_us: 1_795_946_404_000_000 };
    let mut reading = Reading::open(&jetstream(&[&other, &stub], &[]), Some(resume));
    reading.events(3).await;
    assert_eq!((cursors(&stub), cursors(&other)), (vec![Some(504)], vec![]));
}

#[tokio::test]
async fn after_a_restart_without_a_cursor_what_came_before_is_gone() {
    let archive = Archive::of(10, 500);
    let connection = |samples| vec![Step::Accept, Step::Replay(samples), Step::Silence];
    let stub = Stub::start(Speaks::JetstreamV2(archive.clone()), vec![connection(4), connection(2)]);
    let mut first = Reading::open(&jetstream(&[&stub], &[]), None);
    first.events(4).await;
    drop(first);
    let mut second = Reading::open(&jetstream(&[&stub], &[]), None);
    second.events(2).await;
    assert_eq!(cursors(&stub), [None, None]);
    let times: Vec<_> = second.posts().iter().map(|post| post.time_ms.unwrap()).collect();
    assert_eq!(times, [sample_ms(&archive, 4), sample_ms(&archive, 5)]);
}

#[tokio::test]
async fn what_a_host_refuses_as_too_old_is_a_gap_and_the_oldest_follows() {
    let mut archive = Archive::of(10, 500);
    archive.floor = 6;
    let stub = Stub::start(
        Speaks::JetstreamV2(archive.clone()),
        vec![
            vec![Step::Accept, Step::Replay(4), Step::Cut],
            vec![Step::Accept, Step::Replay(1), Step::Silence],
        ],
    );
    let host = format!("ws://{}", stub.address()).into();
    let resume = Resume::Jetstream { host, seq: Some(502), time_us: archive.samples[2].time_us };
    let mut reading = Reading::open(&jetstream(&[&stub], &[]), Some(resume));
    reading.events(7).await;
    let asked: Vec<_> = stub
        .requests()
        .iter()
        .map(|request| (request.parameter("cursor").unwrap(), request.answered))
        .collect();
    let by_time = rewound(&archive, 2).unwrap().to_string();
    assert_eq!(asked, [("502".to_owned(), 400), (by_time, 0), ("509".to_owned(), 0)]);
    let gap = reading.gaps()[0];
    assert_eq!((gap.from_ms, gap.until_ms), (sample_ms(&archive, 2), sample_ms(&archive, 6)));
    assert_eq!((reading.gaps().len(), reading.posts().len()), (1, 5), "it is told once");
    assert!(matches!(reading.events[0].kind, Kind::Control), "the notice of the host");
}

#[tokio::test]
async fn version_1_is_the_fallback_by_time_and_version_2_is_tried_again() {
    let archive = Archive::of(60, 500);
    let v2 = Stub::start(
        Speaks::JetstreamV2(archive.clone()),
        vec![
            vec![Step::Accept, Step::Replay(29), Step::Gate, Step::Replay(1), Step::Cut],
            vec![Step::Status(503, vec![], String::new())],
            vec![Step::Accept, Step::Replay(2), Step::Silence],
        ],
    );
    let v1 = Stub::start(
        Speaks::JetstreamV1(archive.clone()),
        vec![[vec![Step::Accept, Step::Replay(21)], vec![[Step::Gate, Step::Ping]; 16].concat()].concat()],
    );
    let mut reading = Reading::open(&jetstream(&[&v2], &[&v1]), None);
    settled(&mut reading, &v2, 29).await;
    reading.events(51).await;
    assert_eq!(cursors(&v1), [rewound(&archive, 29)]);
    let asked = v1.requests()[0].query();
    assert_eq!(asked[0], ("wantedCollections".to_owned(), "app.bsky.feed.post".to_owned()));
    let ids: HashSet<_> = reading.posts().iter().map(|post| post.id).collect();
    assert_eq!(ids.len(), 40, "posts 19 to 29 came by both versions, under the same ids");
    let Some(Resume::Jetstream { seq: None, time_us, .. }) = reading.resume() else { panic!() };
    assert_eq!(time_us, archive.samples[39].time_us);
    // For a quarter of an hour it stays with version 1, as long as that lives.
    for minute in 1..=15 {
        assert_eq!(v2.requests().len(), 2, "minute {minute}");
        v1.open();
        v1.until(|seen| seen.pongs == minute).await;
        pass(Duration::from_secs(60)).await;
    }
    reading.events(53).await;
    assert_eq!(cursors(&v2)[2], rewound(&archive, 39));
    assert_eq!(reading.gaps(), []);
}

#[tokio::test]
async fn a_silent_clamp_of_version_1_is_a_gap() {
    let mut archive = Archive::of(10, 500);
    for sample in &mut archive.samples[5..] {
        sample.time_us += 2 * HOUR_US;
    }
    archive.floor = 5;
    let stub = Stub::start(
        Speaks::JetstreamV1(archive.clone()),
        vec![vec![Step::Accept, Step::Replay(2), Step::Silence]],
    );
    let resume = Resume::Jetstream { host: "gone".into(), seq: Some(7), time_us: archive.samples[3].time_us };
    let mut reading = Reading::open(&jetstream(&[], &[&stub]), Some(resume));
    reading.events(3).await;
    assert_eq!(cursors(&stub), [rewound(&archive, 3)]);
    let gap = reading.gaps()[0];
    assert_eq!((gap.from_ms, gap.until_ms), (sample_ms(&archive, 3), sample_ms(&archive, 5)));
    assert_eq!(reading.gaps().len(), 1);
}

#[tokio::test]
async fn out_of_order_events_around_the_switch_to_live_take_nothing_back() {
    let archive = Archive::of(10, 500);
    let order = [3, 4, 7, 5, 6, 8];
    let script = order.map(Step::Sample);
    let script = [&[Step::Accept][..], &script, &[Step::Cut]].concat();
    let v1 =
        Stub::start(Speaks::JetstreamV1(archive.clone()), vec![script, vec![Step::Accept, Step::Silence]]);
    let resume = Resume::Jetstream { host: "gone".into(), seq: None, time_us: archive.samples[3].time_us };
    let mut reading = Reading::open(&jetstream(&[], &[&v1]), Some(resume));
    reading.events(6).await;
    let times: Vec<_> =
        reading.events.iter().map(|event| event.resume.as_ref().unwrap().time_ms().unwrap()).collect();
    let furthest = [3, 4, 7, 7, 7, 8].map(|at| sample_ms(&archive, at));
    assert_eq!(times, furthest);
    // Each place, rewound, lies before all that came behind it.
    for (at, time_ms) in times.iter().enumerate() {
        let behind = order[at..].iter().map(|sample| sample_ms(&archive, *sample)).min().unwrap();
        assert!(time_ms - REWIND_MS <= behind);
    }
    v1.silent(1).await;
    assert_eq!(cursors(&v1)[1], rewound(&archive, 8));
}

#[tokio::test]
async fn frames_may_be_compressed_and_a_retired_dictionary_is_fetched_anew() {
    let archive = Archive::of(10, 500);
    let stub = Stub::start(
        Speaks::JetstreamV2(archive),
        vec![
            vec![Step::Accept, Step::Replay(4), Step::Cut],
            vec![Step::Accept, Step::Replay(3), Step::Silence],
        ],
    );
    let mut reading = Reading::open(&compressed(jetstream(&[&stub], &[])), None);
    reading.events(4).await;
    stub.change(|archive| archive.dictionary = 77);
    reading.events(7).await;
    let asked: Vec<_> = stub.requests().iter().map(|request| request.target.clone()).collect();
    let seen = |request: &String| {
        let id = |name: &str| Some(request.split(&format!("{name}=")).nth(1)?.split('&').next()?.to_owned());
        (request.contains("getZstdDictionary"), id("zstdDictionary").or_else(|| id("id")))
    };
    let expected: [(bool, Option<&str>); 5] = [
        (true, None),
        (false, Some("20261129")),
        (false, Some("20261129")),
        (true, Some("77")),
        (false, Some("77")),
    ];
    let expected = expected.map(|(dictionary, id)| (dictionary, id.map(str::to_owned)));
    assert_eq!(asked.iter().map(seen).collect::<Vec<_>>(), expected);
    let posts = reading.posts();
    assert!(posts.len() == 7 && posts.iter().all(|post| post.json.starts_with(b"{")));
}

#[tokio::test]
async fn without_a_dictionary_frames_come_uncompressed() {
    let stub = Stub::start(
        Speaks::JetstreamV1(Archive::of(3, 1)),
        vec![vec![Step::Accept, Step::Replay(1), Step::Silence]],
    );
    let mut reading = Reading::open(&compressed(jetstream(&[], &[&stub])), None);
    reading.events(1).await;
    assert!(!stub.requests()[0].target.contains("compress"), "version 1 has another dictionary");
}

#[tokio::test]
async fn a_cursor_of_another_source_is_refused() {
    let stub = Stub::start(Speaks::JetstreamV1(Archive::of(3, 1)), vec![]);
    let token = Resume::Token { text: "7".into(), time_ms: None };
    let opened = Feed::open(&jetstream(&[], &[&stub]), &keywords(), Some(token), Clock::start(), 1);
    assert!(opened.unwrap_err().to_string().contains("another cursor.path"));
}
