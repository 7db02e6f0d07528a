//! Reading from mock brokers: exact through every fault that the mock can show.

use std::thread;
use std::time::Duration;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use spindle::ids::{Partition, Position};
use spindle::source::State;

use crate::mock::{Ledger, Mock, Reading, state, t};

fn at_end(state: State<'_>) -> bool {
    state == State::AtEnd
}

#[test]
fn everything_is_read_once_and_the_end_is_known() {
    let mut mock = Mock::new(2, 4);
    let mut reading = Reading::open(&mock.settings(&[]));
    reading.assign(0..4);
    assert_eq!(state(&reading.source, 0), (0, None, State::Starting));
    for partition in 0..3 {
        mock.produce(partition, 5000);
    }
    reading.until_read(15_000);
    for partition in 0..4 {
        reading.until_state(partition, "end", at_end);
    }
    assert_eq!(state(&reading.source, 0), (5000, Some(5000), State::AtEnd));
    assert_eq!(state(&reading.source, 3), (0, Some(0), State::AtEnd));
    let last = reading.source.progress().next().unwrap().last_timestamp_ms.unwrap();
    assert!(reading.clock.wall_ms() - last < 60_000);
    mock.produce(3, 1);
    reading.until_read(15_001);
    reading.until_state(3, "end", at_end);
    assert_eq!(reading.offset(3), 1);
}

#[test]
fn brokers_go_and_come_back() {
    let mut mock = Mock::new(3, 6);
    let mut reading = Reading::open(&mock.settings(&[]));
    reading.assign(0..6);
    for round in 0..3 {
        let down = round % 3 + 1;
        for partition in 0..6 {
            mock.produce(partition, 700);
        }
        mock.cluster.broker_down(down).unwrap();
        reading.until("half of the records", |_, ledger| ledger.total() > (round as u64) * 4200 + 1000);
        mock.cluster.broker_up(down).unwrap();
        reading.until_read((round as u64 + 1) * 4200);
    }
    for partition in 0..6 {
        reading.until_state(partition, "end", at_end);
        assert_eq!(reading.offset(partition), 2100);
    }
}

#[test]
fn unreachable_shows_also_at_the_end_and_passes() {
    let mut mock = Mock::new(1, 2);
    mock.produce(0, 10);
    let mut reading = Reading::open(&mock.settings(&[]));
    reading.assign(0..2);
    reading.until_state(0, "end", at_end);
    reading.until_state(1, "end", at_end);
    mock.cluster.broker_down(1).unwrap();
    for partition in 0..2 {
        reading.until_state(partition, "unreachable", |s| matches!(s, State::Unreachable(_)));
    }
    let (_, _, why) = state(&reading.source, 0);
    assert!(matches!(why, State::Unreachable(why) if why.contains("127.0.0.1")), "{why:?}");
    mock.cluster.broker_up(1).unwrap();
    // Nothing new is in the logs: no record and no second end-of-log event tells that it is over.
    for partition in 0..2 {
        reading.until_state(partition, "end again", at_end);
    }
    assert_eq!(reading.ledger.total(), 10);
}

#[test]
fn brokers_never_reached() {
    let mock = Mock::new(1, 1);
    mock.cluster.broker_down(1).unwrap();
    let mut reading = Reading::open(&mock.settings(&[]));
    reading.assign([0]);
    reading.until_state(0, "unreachable", |s| matches!(s, State::Unreachable(_)));
}

#[test]
fn a_broker_that_does_not_answer_is_unreachable() {
    let mut mock = Mock::new(1, 1);
    mock.produce(0, 10);
    let mut reading = Reading::open(&mock.settings(&[]));
    reading.assign([0]);
    reading.until_state(0, "end", at_end);
    mock.cluster.broker_round_trip_time(1, Duration::from_secs(60)).unwrap();
    reading.until_state(0, "unreachable", |s| matches!(s, State::Unreachable(_)));
    let (_, _, why) = state(&reading.source, 0);
    assert!(matches!(why, State::Unreachable(why) if why.contains("has not answered")), "{why:?}");
}

#[test]
fn leaders_change() {
    let mut mock = Mock::new(3, 2);
    let mut reading = Reading::open(&mock.settings(&[]));
    reading.assign(0..2);
    for round in 0..9u64 {
        mock.produce(0, 300);
        mock.produce(1, 300);
        mock.cluster.partition_leader("t", 0, Some((round % 3) as i32 + 1)).unwrap();
        reading.until_read((round + 1) * 600);
    }
    reading.until_state(0, "end", at_end);
    assert_eq!(reading.offset(0), 2700);
}

#[test]
fn no_leader_is_unreachable() {
    let mut mock = Mock::new(1, 2);
    mock.produce(0, 5);
    mock.cluster.partition_leader("t", 1, None).unwrap();
    let mut reading = Reading::open(&mock.settings(&[]));
    reading.assign(0..2);
    reading.until_state(1, "unreachable", |s| matches!(s, State::Unreachable(_)));
    reading.until_state(0, "end", at_end);
    mock.cluster.partition_leader("t", 1, Some(1)).unwrap();
    reading.until_state(1, "end", at_end);
}

#[test]
fn fetch_errors_lose_nothing() {
    use RDKafkaRespErr as E;
    let mut mock = Mock::new(1, 1);
    let mut reading = Reading::open(&mock.settings(&[("fetch.error.backoff.ms", "10")]));
    reading.assign([0]);
    let errors = [
        E::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        E::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        E::RD_KAFKA_RESP_ERR_UNKNOWN,
        E::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        E::RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
    ];
    for round in 1..=5 {
        mock.cluster.request_errors(RDKafkaApiKey::Fetch, &errors);
        mock.produce(0, 200);
        reading.until_read(round * 200);
    }
    reading.until_state(0, "end", at_end);
}

#[test]
fn slow_brokers_lose_nothing() {
    let mut mock = Mock::new(2, 4);
    mock.cluster.broker_round_trip_time(1, Duration::from_millis(80)).unwrap();
    let mut reading = Reading::open(&mock.settings(&[]));
    reading.assign(0..4);
    for partition in 0..4 {
        mock.produce(partition, 2000);
    }
    reading.until_read(8000);
}

#[test]
fn a_wrong_offset_stops_the_partition_and_no_other() {
    let mut mock = Mock::new(1, 2);
    mock.produce(0, 10);
    mock.produce(1, 10);
    let mut reading = Reading::open(&mock.settings(&[]));
    reading.source.assign(&[(t(0), Position::at(11)), (t(1), Position::at(4))]).unwrap();
    reading.until_state(0, "out of range", |s| matches!(s, State::OutOfRange(_)));
    assert_eq!(reading.offset(0), 11);
    reading.until_state(1, "end", at_end);
    assert_eq!(reading.ledger.total(), 6);
    mock.produce(0, 10);
    mock.produce(1, 10);
    reading.until_read(16);
    assert!(matches!(state(&reading.source, 0).2, State::OutOfRange(_)), "it stays stopped");
    reading.source.release(&[t(0)]).unwrap();
    reading.source.assign(&[(t(0), Position::at(2))]).unwrap();
    reading.ledger = Ledger::default();
    reading.until_read(18);
    reading.until_state(0, "end", at_end);
    assert_eq!((reading.offset(0), reading.offset(1)), (20, 20));
}

#[test]
fn released_partitions_are_silent_and_come_back_where_they_were() {
    let mut mock = Mock::new(1, 3);
    for partition in 0..3 {
        mock.produce(partition, 4000);
    }
    let mut reading = Reading::open(&mock.settings(&[]));
    reading.assign(0..3);
    for round in 0..5 {
        // Some messages are fetched and not drained, for both sides of the cut.
        reading.until("some records", |_, ledger| ledger.total() > round * 1500);
        let released = reading.source.progress().find(|p| p.partition.number == 1).unwrap().until;
        reading.source.release(&[t(1)]).unwrap();
        assert_eq!(reading.source.index_of(&t(1)), None);
        let before = reading.ledger.records.get(&1).copied().unwrap_or_default();
        for _ in 0..3 {
            let now = reading.clock.monotonic();
            reading.source.drain(now, Duration::from_millis(5), &mut reading.ledger).unwrap();
        }
        assert_eq!(reading.ledger.records.get(&1).copied().unwrap_or_default(), before);
        reading.source.assign(&[(t(1), released)]).unwrap();
        assert_eq!(reading.source.index_of(&t(1)), Some(1));
    }
    reading.until_read(12_000);
}

#[test]
fn a_partition_released_and_assigned_at_once_is_read_on() {
    let mut mock = Mock::new(1, 2);
    for partition in 0..2 {
        mock.produce(partition, 4000);
    }
    let mut reading = Reading::open(&mock.settings(&[]));
    reading.assign(0..2);
    for round in 1..=20 {
        reading.until("some records", |_, ledger| ledger.total() > round * 100);
        let until = reading.source.progress().find(|p| p.partition.number == 1).unwrap().until;
        reading.source.release(&[t(1)]).unwrap();
        reading.source.assign(&[(t(1), until)]).unwrap();
    }
    reading.until_read(8000);
}

#[test]
fn partitions_are_added_while_others_are_read() {
    let mut mock = Mock::new(2, 8);
    let mut reading = Reading::open(&mock.settings(&[]));
    for partition in 0..8 {
        mock.produce(partition, 900);
        reading.assign([partition]);
        let now = reading.clock.monotonic();
        reading.source.drain(now, Duration::from_millis(5), &mut reading.ledger).unwrap();
    }
    reading.until_read(7200);
    assert!(reading.source.assign(&[(t(3), Position::at(0))]).is_err(), "assigned already");
}

#[test]
fn wake_ends_a_drain_that_waits() {
    let mock = Mock::new(1, 1);
    let mut reading = Reading::open(&mock.settings(&[]));
    reading.assign([0]);
    reading.until_state(0, "end", at_end);
    let clock = reading.clock;
    // Woken before: the next drain does not wait.
    reading.waker.wake();
    reading.source.drain(clock.monotonic(), Duration::from_secs(60), &mut reading.ledger).unwrap();
    for _ in 0..50 {
        let waker = reading.waker.clone();
        let wakes = thread::spawn(move || waker.wake());
        reading.source.drain(clock.monotonic(), Duration::from_secs(60), &mut reading.ledger).unwrap();
        wakes.join().unwrap();
    }
    assert!(clock.monotonic() < Duration::from_secs(50), "no drain waited for its time-out");
    drop(reading.source);
    reading.waker.wake();
}

#[test]
fn the_rate_holds_per_partition_and_loses_nothing() {
    let mut mock = Mock::new(1, 2);
    mock.produce(0, 300);
    mock.produce(1, 40);
    let settings = mock.settings(&[]).with_max_rate(100);
    let mut reading = Reading::open(&settings);
    reading.assign(0..2);
    let mut now = Duration::ZERO;
    // Real time passes as it likes; only the clock that is handed in lets records through.
    let settle = |reading: &mut Reading, now: Duration, expected: (u64, u64)| {
        let end = reading.clock.monotonic() + crate::mock::PATIENCE;
        let read = |ledger: &Ledger, index| ledger.records.get(&index).copied().unwrap_or_default();
        while (read(&reading.ledger, 0), read(&reading.ledger, 1)) != expected {
            assert!(reading.clock.monotonic() < end, "{:?} for {expected:?}", reading.ledger.records);
            reading.source.drain(now, Duration::from_millis(20), &mut reading.ledger).unwrap();
        }
        for _ in 0..3 {
            reading.source.drain(now, Duration::from_millis(5), &mut reading.ledger).unwrap();
        }
        assert_eq!((read(&reading.ledger, 0), read(&reading.ledger, 1)), expected);
    };
    settle(&mut reading, now, (10, 10));
    now += Duration::from_millis(50);
    settle(&mut reading, now, (15, 15));
    for step in 1..=28u64 {
        now += Duration::from_millis(100);
        settle(&mut reading, now, (15 + 10 * step, (15 + 10 * step).min(40)));
    }
    now += Duration::from_secs(3600);
    settle(&mut reading, now, (300, 40));
    reading.clock = spindle::clock::Clock::start();
    assert_eq!((reading.offset(0), reading.offset(1)), (300, 40));
}

#[test]
fn a_log_that_was_cut_is_found_before_a_record_is_read() {
    let mut mock = Mock::new(2, 2);
    mock.produce(0, 50);
    let mut reading = Reading::open(&mock.settings(&[]));
    reading.assign([0]);
    reading.until_read(50);
    let old = reading.source.progress().next().unwrap().until;
    assert!(old.leader_epoch >= 0, "{old:?}");
    // A new leader epoch begins at 50: whoever stood at 55 in the old one read records that are no more.
    mock.cluster.partition_leader("t", 0, Some(2)).unwrap();
    mock.cluster.partition_leader("t", 0, Some(1)).unwrap();
    mock.produce(0, 50);
    reading.until_read(100);
    let new = reading.source.progress().next().unwrap().until;
    assert!(new.leader_epoch > old.leader_epoch, "{new:?} after {old:?}");
    for add_to_running in [false, true] {
        let mut other = Reading::open(&mock.settings(&[]));
        if add_to_running {
            // The client knows the topic already: no metadata comes that would make it look at epochs.
            other.assign([1]);
            other.until_state(1, "end", at_end);
        }
        other.source.assign(&[(t(0), Position { offset: 55, ..old })]).unwrap();
        other.until_state(0, "truncated", |s| matches!(s, State::Truncated(_)));
        assert_eq!((other.ledger.total(), other.offset(0)), (0, 55));
    }
    // The same epoch, not beyond its end.
    let mut other = Reading::open(&mock.settings(&[]));
    other.source.assign(&[(t(0), Position { offset: 45, ..old })]).unwrap();
    other.until_read(55);
}

#[test]
fn a_topic_that_is_not_there_is_gone() {
    let mock = Mock::new(1, 1);
    let mut reading = Reading::open(&mock.settings(&[("topic.metadata.propagation.max.ms", "100")]));
    let absent = Partition::new("absent", 7);
    reading.assign([0]);
    reading.source.assign(&[(absent, Position::at(0))]).unwrap();
    reading.until_state(7, "gone", |s| matches!(s, State::Gone(_)));
    reading.until_state(0, "end", at_end);
}

#[test]
fn a_refused_topic_is_denied_until_it_may_be_read() {
    use RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as REFUSED;
    let mut mock = Mock::new(1, 1);
    mock.produce(0, 5);
    let mut reading = Reading::open(&mock.settings(&[]));
    reading.assign([0]);
    reading.until_read(5);
    mock.cluster.request_errors(RDKafkaApiKey::Fetch, &[REFUSED; 3]);
    reading.until_state(0, "denied", |s| matches!(s, State::Denied(_)));
    mock.produce(0, 5);
    reading.until_read(10);
    reading.until_state(0, "end", at_end);
}
