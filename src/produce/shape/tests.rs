//! What frames mean, by the samples in tests/data/producer and by what may be wrong with them.

use super::*;
use crate::config::producer::Keyword;

const V1: &str = include_str!("../../../tests/data/producer/jetstream_v1.jsonl");
const V2: &str = include_str!("../../../tests/data/producer/jetstream_v2.jsonl");
const STATUSES: &str = include_str!("../../../tests/data/producer/statuses.jsonl");
const TIME_US: u64 = 1_795_946_400_329_308;

fn keywords(matching: Match) -> Keywords {
    let keyword = |key: &str| Keyword { key: key.to_owned(), terms: vec![key.to_owned()], partition: None };
    Keywords { matching, list: ["Bitcoin", "app.bsky", "IoT"].map(keyword).to_vec(), ..Keywords::default() }
}

fn reader(shape: Shape) -> Reader {
    Reader::new(shape, &keywords(Match::Word)).unwrap()
}

fn frames(shape: Shape, text: &str) -> Vec<Frame> {
    let mut reader = reader(shape);
    text.lines().map(|line| reader.read(Bytes::copy_from_slice(line.as_bytes()))).collect()
}

fn post(frame: &Frame) -> &Post {
    let Kind::Post(post) = &frame.kind else { panic!("{frame:?}") };
    post
}

fn malformed(shape: Shape, json: &str) -> Option<Malformed> {
    match reader(shape).read(Bytes::copy_from_slice(json.as_bytes())).kind {
        Kind::Malformed(why) => Some(why),
        _ => None,
    }
}

#[test]
fn of_jetstream_only_what_is_created_is_a_post() {
    let (v1, v2) = (frames(Shape::JetstreamV1, V1), frames(Shape::JetstreamV2, V2));
    for (frames, text) in [(&v1, V1), (&v2, V2)] {
        let created = post(&frames[0]);
        assert_eq!(created.json, text.lines().next().unwrap());
        assert_eq!(created.time_ms, Some(1_795_946_400_329));
        assert_eq!(created.keyword, Some(2), "the type of the record is no word of the post");
        assert!(frames[1..].iter().all(|frame| frame.kind == Kind::Control));
    }
    for (nth, frame) in (0..).zip(&v1) {
        assert_eq!(frame.place, Place::Jetstream { seq: None, time_us: TIME_US + nth });
    }
    for (nth, frame) in (0..).zip(&v2[..6]) {
        assert_eq!(frame.place, Place::Jetstream { seq: Some(48_210 + nth), time_us: TIME_US + nth });
    }
    let notice = |frame: &Frame| match frame.notice.clone().unwrap() {
        Notice::Info(name, message) => ("info", name, message),
        Notice::Error(name, message) => ("error", name, message),
        other => panic!("{other:?}"),
    };
    let (kind, name, message) = notice(&v2[6]);
    assert_eq!((kind, &*name), ("info", "OutdatedCursor"));
    assert!(message.ends_with("starting at seq 40000"), "{message}");
    let (kind, name, message) = notice(&v2[7]);
    assert_eq!((kind, &*name), ("error", "ConsumerTooSlow"));
    assert!(message.ends_with("cursor=48215"), "{message}");
    assert_eq!([&v2[6].place, &v2[7].place], [&Place::Unknown, &Place::Unknown]);
}

#[test]
fn the_place_in_a_jetstream_is_when_the_host_saw_the_event() {
    let imported = V2.lines().next().unwrap().replace(
        r#""time":"2026-11-29T10:00:00.329308Z""#,
        r#""time":"2020-01-01T00:00:00.000000Z","witnessedAt":"2026-11-29T10:00:00.329308Z""#,
    );
    let frame = &frames(Shape::JetstreamV2, &imported)[0];
    assert_eq!(frame.place, Place::Jetstream { seq: Some(48_210), time_us: TIME_US });
    assert_eq!(post(frame).time_ms, Some(1_577_836_800_000), "written when the import says");
}

#[test]
fn a_post_has_the_same_id_by_both_versions_of_jetstream() {
    let [v1, v2] =
        [(Shape::JetstreamV1, V1), (Shape::JetstreamV2, V2)].map(|(shape, text)| frames(shape, text));
    let id = post(&v1[0]).id.unwrap();
    assert_eq!(post(&v2[0]).id, Some(id));
    let other = V1.lines().next().unwrap().replace("3mtsaaaaaab2k", "3mtsaaaaaab2l");
    assert_ne!(post(&frames(Shape::JetstreamV1, &other)[0]).id, Some(id));
    let threadgate = V1.lines().next().unwrap().replace("feed.post\",\"rkey", "feed.threadgate\",\"rkey");
    assert_ne!(
        post(&frames(Shape::JetstreamV1, &threadgate)[0]).id,
        Some(id),
        "another record of that commit"
    );
    // As they are read back from Kafka, whichever version is spoken now.
    for shape in [Shape::JetstreamV1, Shape::JetstreamV2] {
        let mut identify = Identify::new(shape);
        for text in [V1, V2] {
            let mut ids = text.lines().map(|line| identify.identify(line.as_bytes()));
            assert_eq!(ids.next(), Some(Some(id)));
            assert!(ids.all(|id| id.is_none()));
        }
        assert_eq!(identify.identify(b"\xff"), None);
    }
}

#[test]
fn of_statuses_filter_everything_with_an_id_is_a_post() {
    let frames = frames(Shape::Status, STATUSES);
    let times = [&frames[0], &frames[1]].map(|frame| post(frame).time_ms.unwrap());
    assert_eq!(times, [1_795_946_400_657, 1_795_946_401_000], "to the millisecond if it says so");
    assert_eq!(post(&frames[0]).keyword, Some(0));
    assert_ne!(post(&frames[0]).id, post(&frames[1]).id);
    assert!(frames[2..].iter().all(|frame| frame.kind == Kind::Control));
    let notices: Vec<_> = frames.iter().filter_map(|frame| frame.notice.clone()).collect();
    let warning =
        Notice::Warning("FALLING_BEHIND".to_owned(), "Your connection is falling behind".to_owned());
    assert_eq!(notices, [Notice::Undelivered(1_234), Notice::Disconnect(4, "stalled".to_owned()), warning]);
    let mut identify = Identify::new(Shape::Status);
    let ids: Vec<_> = STATUSES.lines().filter_map(|line| identify.identify(line.as_bytes())).collect();
    assert_eq!(ids, [post(&frames[0]).id.unwrap(), post(&frames[1]).id.unwrap()]);
}

#[test]
fn what_only_looks_like_a_post_is_malformed() {
    let v1 = V1.lines().next().unwrap();
    let v2 = V2.lines().next().unwrap();
    for missing in ["\"did\"", "\"rkey\"", "\"rev\"", "\"collection\"", "\"operation\""] {
        for (shape, text) in [(Shape::JetstreamV1, v1), (Shape::JetstreamV2, v2)] {
            let without = text.replace(missing, "\"other\"");
            assert_eq!(
                malformed(shape.clone(), &without),
                Some(Malformed::NotAPost),
                "{missing} of {shape:?}"
            );
        }
    }
    for (shape, json, why) in [
        (Shape::JetstreamV1, "{}", Malformed::NotAPost),
        (Shape::JetstreamV1, v2, Malformed::NotAPost),
        (Shape::JetstreamV2, v1, Malformed::NotAPost),
        (Shape::JetstreamV2, r#"{"$type":"message"}"#, Malformed::NotAPost),
        (Shape::JetstreamV2, &v2[..v2.len() - 1], Malformed::NotJson),
        (Shape::Status, r#"{"text":"hello"}"#, Malformed::NotAPost),
        (Shape::Status, r#"{"id_str":"","text":"hello"}"#, Malformed::NotAPost),
        (Shape::Status, r#"["delete"]"#, Malformed::NotAPost),
        (Shape::Status, r#"{"id_str":"1","n":NaN}"#, Malformed::NotJson),
        (Shape::Status, "", Malformed::NotJson),
    ] {
        assert_eq!(malformed(shape, json), Some(why), "{json}");
    }
    // Types that do not exist yet are no mistakes.
    assert_eq!(malformed(Shape::JetstreamV2, r#"{"$type":"checkpoint","payload":{}}"#), None);
    assert_eq!(malformed(Shape::JetstreamV1, r#"{"kind":"weather"}"#), None);
}

#[test]
fn other_frames_are_what_the_configuration_says() {
    let places = |id: Option<&'static str>, time: Option<&'static str>, cursor: Option<&'static str>| {
        let [id, time, cursor] = [id, time, cursor].map(|place| place.map(Pointer::of));
        Shape::Plain(Places { id, time, cursor })
    };
    let json = r#"{"meta":{"id":"a1","dt":"2026-11-29T10:00:00Z"},"at":[7],"text":"IoT"}"#;
    let frame = |shape: &Shape| reader(shape.clone()).read(Bytes::from_static(json.as_bytes()));
    let whole = frame(&places(Some("/meta/id"), Some("/meta/dt"), Some("/at/0")));
    assert_eq!(whole.place, Place::Cursor("7".into()));
    let named = post(&whole).clone();
    assert_eq!((named.time_ms, named.keyword), (Some(1_795_946_400_000), Some(2)));
    let shape = places(None, Some("/meta/dt"), None);
    assert_eq!(frame(&shape).place, Place::Unknown);
    assert_eq!(*post(&frame(&shape)), Post { id: None, ..named.clone() });
    assert_eq!(*post(&frame(&places(None, None, None))), Post { id: None, time_ms: None, ..named.clone() });
    let mut identify = Identify::new(places(Some("/meta/id"), None, None));
    assert_eq!(identify.identify(json.as_bytes()), named.id);
    // Where ids are, a post may lack its own.
    let missing = frame(&places(Some("/text/id"), None, Some("/at/0")));
    assert_eq!((post(&missing).id, &missing.place), (None, &Place::Cursor("7".into())));
}

#[test]
fn a_post_without_its_id_is_a_post() {
    let shape = Shape::Plain(Places { id: Some(Pointer::of("/id")), ..Places::default() });
    for json in ["{}", r#"{"id":null}"#, r#"{"id":""}"#, r#"{"id":{}}"#, r#"{"id":[1]}"#] {
        let frame = reader(shape.clone()).read(Bytes::from_static(json.as_bytes()));
        assert_eq!((post(&frame).id, &*post(&frame).json), (None, json.as_bytes()), "{json}");
    }
    for json in [r#"{"id":0}"#, r#"{"id":"a"}"#] {
        let frame = reader(shape.clone()).read(Bytes::from_static(json.as_bytes()));
        assert!(post(&frame).id.is_some(), "{json}");
    }
}

#[test]
fn raw_substrings_are_looked_for_in_all_of_the_frame() {
    let mut reader = Reader::new(Shape::JetstreamV1, &keywords(Match::RawSubstring)).unwrap();
    let frame = reader.read(Bytes::from_static(V1.lines().next().unwrap().as_bytes()));
    assert_eq!(post(&frame).keyword, Some(1), "the type of the record comes before the text");
}
