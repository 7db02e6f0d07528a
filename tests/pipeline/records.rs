//! What a record carries: keys of every kind, tombstones, headers, timestamps.

use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use spindle::source::{Record, Visit};

use crate::mock::{Mock, PATIENCE, Reading};

/// Key, value, header `h`, and whether there is a timestamp.
type Seen = (Option<Vec<u8>>, Option<Vec<u8>>, Option<Option<Vec<u8>>>, bool);

#[derive(Default)]
struct Contents(Vec<Seen>);

impl Visit for Contents {
    fn record(&mut self, _: usize, record: &Record<'_>) {
        let header = record.header(c"h").map(|value| value.map(<[u8]>::to_vec));
        let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        self.0.push((own(record.key), own(record.value), header, record.timestamp_ms().is_some()));
    }
}

#[test]
fn keys_values_and_headers_arrive_as_they_were_sent() {
    let mock = Mock::new(1, 1);
    let big = vec![b'x'; 900_000];
    let to = || BaseRecord::<[u8], [u8]>::to("t").partition(0);
    let header = |value: Option<&'static str>| OwnedHeaders::new().insert(Header { key: "h", value });
    mock.send(to().payload(b"no key"));
    mock.send(to().key(b"").payload(b""));
    mock.send(to().key(b"tombstone"));
    mock.send(to().key(&big).payload(b"big"));
    mock.send(to().headers(header(Some("1")).insert(Header { key: "h", value: Some("2") })));
    mock.send(to().headers(header(None::<&str>)));
    mock.flush();
    let mut reading = Reading::open(&mock.settings(&[]));
    reading.assign([0]);
    let mut seen = Contents::default();
    while seen.0.len() < 6 {
        let now = reading.clock.monotonic();
        assert!(now < PATIENCE);
        reading.source.drain(now, Duration::from_millis(20), &mut seen).unwrap();
    }
    let v = |bytes: &[u8]| Some(bytes.to_vec());
    let expected: Vec<Seen> = vec![
        (None, v(b"no key"), None, true),
        (v(b""), v(b""), None, true),
        (v(b"tombstone"), None, None, true),
        (v(&big), v(b"big"), None, true),
        (None, None, Some(v(b"2")), true),
        (None, None, Some(None), true),
    ];
    assert!(
        seen.0 == expected,
        "{:?}",
        seen.0.iter().map(|s| (s.0.as_ref().map(Vec::len), &s.2)).collect::<Vec<_>>()
    );
}
