//! Every way to start, one sentence each. Logs are `[first, high)`; the readable end is `high` unless said.

use super::*;
use crate::ids::TopicId;

const ID: Option<TopicId> = Some(TopicId([1; 16]));
const OTHER_ID: Option<TopicId> = Some(TopicId([2; 16]));

struct Case {
    topics: Vec<TopicInfo>,
    ranges: BTreeMap<Partition, LogRange>,
    held: BTreeMap<Partition, Position>,
    at_time: BTreeMap<Partition, Offset>,
    start: StartRule,
    from: Option<StartRule>,
    policy: LossPolicy,
    pattern: Option<Regex>,
    believed: BTreeSet<Partition>,
}

impl Case {
    /// Topic `t` with logs 100..200, 0..50, 10..10.
    fn new() -> Self {
        let mut case = Self {
            topics: Vec::new(),
            ranges: BTreeMap::new(),
            held: BTreeMap::new(),
            at_time: BTreeMap::new(),
            start: StartRule::Latest,
            from: None,
            policy: LossPolicy::Fail,
            pattern: None,
            believed: BTreeSet::new(),
        };
        case.topic("t", ID, &[(100, 200), (0, 50), (10, 10)]);
        case
    }

    fn topic(&mut self, name: &str, id: Option<TopicId>, logs: &[(Offset, Offset)]) {
        let partition = |number| crate::source::admin::PartitionInfo {
            number,
            leader: 1,
            replicas: vec![1],
            isr: vec![1],
        };
        let numbers = 0..i32::try_from(logs.len()).unwrap();
        self.topics.push(TopicInfo {
            name: name.to_owned(),
            id,
            partitions: numbers.clone().map(partition).collect(),
        });
        for (number, (first, high)) in numbers.zip(logs) {
            let range = LogRange { first: *first, end: *high, high: *high };
            self.ranges.insert(Partition::new(name, number), range);
        }
    }

    fn hold(&mut self, number: i32, offset: Offset) -> &mut Self {
        let position = Position { topic_id: ID, leader_epoch: 7, mark_ms: 99, offset };
        self.held.insert(Partition::new("t", number), position);
        self
    }

    /// What looks lost at first, all of which is then believed.
    fn doubts(&mut self) -> Vec<Loss> {
        let StartError::Doubtful(losses) = self.resolve().unwrap_err() else { panic!() };
        self.believed = losses.iter().map(|loss| loss.partition.clone()).collect();
        losses
    }

    fn resolve(&self) -> Result<Start, StartError> {
        let Self { topics, ranges, held, at_time, start, from, policy, pattern, believed } = self;
        let facts = Facts { topics, ranges, held, at_time, pattern: pattern.as_ref(), believed };
        resolve_start(facts, *start, *from, *policy)
    }

    /// Offsets by partition, `t` first.
    fn offsets(&self) -> Vec<Offset> {
        self.resolve().unwrap().positions.iter().map(|(_, position)| position.offset).collect()
    }
}

#[test]
fn without_positions_the_rule_decides() {
    let mut case = Case::new();
    assert_eq!(case.offsets(), [200, 50, 10]);
    case.start = StartRule::Earliest;
    assert_eq!(case.offsets(), [100, 0, 10]);
    case.start = StartRule::Timestamp(1);
    case.at_time = [(0, 150), (1, -1), (2, 99)].map(|(n, at)| (Partition::new("t", n), at)).into();
    assert_eq!(case.offsets(), [150, 0, 10], "kept inside the log");
    case.at_time.remove(&Partition::new("t", 1));
    assert_eq!(case.resolve(), Err(StartError::Unknown(vec![Partition::new("t", 1)])));
}

#[test]
fn positions_begin_with_the_topics_id_and_nothing_else_known() {
    let start = Case::new().resolve().unwrap();
    assert_eq!(start.positions[0].1, Position { topic_id: ID, ..Position::at(200) });
    assert_eq!((start.losses, start.new), (vec![], vec![]));
}

#[test]
fn only_what_begins_at_the_oldest_record_may_begin_behind_it() {
    let mut case = Case::new();
    let oldest = |case: &Case| case.resolve().unwrap().oldest.iter().map(|p| p.number).collect::<Vec<_>>();
    assert_eq!(oldest(&case), [0; 0]);
    case.start = StartRule::Earliest;
    assert_eq!(oldest(&case), [0, 1, 2]);
    case.hold(0, 100).hold(2, 10);
    assert_eq!(
        oldest(&case),
        [1],
        "a new partition, too; one that was read at its log's first offset is not"
    );
    case.from = Some(StartRule::Timestamp(1));
    case.at_time = [0, 1, 2].map(|number| (Partition::new("t", number), 0)).into();
    assert_eq!(oldest(&case), [0; 0], "all since a time was promised");
}

#[test]
fn latest_is_the_readable_end() {
    let mut case = Case::new();
    case.ranges.insert(Partition::new("t", 0), LogRange { first: 100, end: 180, high: 200 });
    assert_eq!(case.offsets()[0], 180);
}

#[test]
fn held_positions_travel_whole() {
    let mut case = Case::new();
    case.hold(0, 150).hold(1, 50).hold(2, 10);
    let start = case.resolve().unwrap();
    assert_eq!(start.positions[0].1, Position { topic_id: ID, offset: 150, leader_epoch: 7, mark_ms: 99 });
    assert_eq!(case.offsets(), [150, 50, 10]);
}

#[test]
fn committed_offsets_carry_no_id_and_get_the_topics() {
    let mut case = Case::new();
    case.held.insert(Partition::new("t", 0), Position::at(150));
    assert_eq!(case.resolve().unwrap().positions[0].1.topic_id, ID);
}

#[test]
fn a_leader_epoch_beyond_the_logs_own_is_of_another_cluster() {
    let at = |leader_epoch| Position { leader_epoch, ..Position::at(5) };
    let partition = |number| Partition::new("t", number);
    let mut committed: BTreeMap<_, _> =
        [(0, 3), (1, 4), (2, -1), (3, 9)].map(|(number, epoch)| (partition(number), at(epoch))).into();
    forget_foreign_epochs(&mut committed, &[(0, 3), (1, 3), (2, 3)].map(|(n, e)| (partition(n), e)).into());
    let epochs: Vec<_> = committed.values().map(|position| position.leader_epoch).collect();
    assert_eq!(epochs, [3, -1, -1, 9], "where the current one is unknown, nothing is known");
}

#[test]
fn a_partition_without_position_is_new_only_beside_ones_that_have() {
    let mut case = Case::new();
    case.topic("u", ID, &[(5, 9)]);
    case.hold(0, 150);
    let start = case.resolve().unwrap();
    assert_eq!(case.offsets(), [150, 0, 10, 9], "u has no positions: the rule, latest");
    assert_eq!(start.new, [Partition::new("t", 1), Partition::new("t", 2)]);
}

#[test]
fn a_topic_of_a_pattern_without_positions_is_new_beside_topics_that_have() {
    let mut case = Case::new();
    case.topic("u", ID, &[(5, 9)]);
    case.pattern = Some(Regex::new("^[tu]$").unwrap());
    assert_eq!(case.offsets(), [200, 50, 10, 9], "a first start: the rule, latest");
    case.held.insert(Partition::new("other", 0), Position::at(1));
    assert_eq!(case.offsets(), [200, 50, 10, 9], "another topic's position does not make it another start");
    case.hold(0, 150);
    assert_eq!(case.offsets(), [150, 0, 10, 5]);
    assert_eq!(case.resolve().unwrap().new.last(), Some(&Partition::new("u", 0)));
    case.from = Some(StartRule::Latest);
    assert_eq!(case.offsets(), [200, 50, 10, 9]);
}

#[test]
fn a_topic_of_a_pattern_that_is_gone_is_a_loss() {
    let mut case = Case::new();
    case.hold(0, 150).hold(1, 50).hold(2, 10);
    case.held.insert(Partition::new("u", 3), Position::at(77));
    assert_eq!(case.resolve().unwrap().losses, [], "taken from the list");
    case.pattern = Some(Regex::new("^[tu]$").unwrap());
    case.doubts();
    assert!(case.resolve().unwrap_err().to_string().contains("u/3: no longer exists, was read to offset 77"));
    case.policy = LossPolicy::Earliest;
    assert_eq!(case.resolve().unwrap().losses[0].reason, LossReason::Deleted);
    assert_eq!(case.offsets(), [150, 50, 10]);
}

#[test]
fn from_sets_positions_aside() {
    let mut case = Case::new();
    case.hold(0, 1).hold(7, 3);
    case.from = Some(StartRule::Earliest);
    assert_eq!(case.offsets(), [100, 0, 10]);
    case.from = Some(StartRule::Latest);
    assert_eq!(case.offsets(), [200, 50, 10]);
    assert_eq!(case.resolve().unwrap().losses, []);
}

#[test]
fn positions_of_topics_no_longer_read_are_ignored() {
    let mut case = Case::new();
    case.held.insert(Partition::new("gone", 0), Position::at(5));
    assert_eq!(case.offsets(), [200, 50, 10]);
}

#[test]
fn expired_fails_or_goes_on_at_the_beginning() {
    let mut case = Case::new();
    case.hold(0, 40).hold(1, 10).hold(2, 10);
    let error = case.resolve().unwrap_err().to_string();
    assert!(error.contains("t/0: offset 40 has expired, the log begins at 100 (60 lost)"), "{error}");
    assert!(error.contains("source.on_data_loss: earliest"), "{error}");
    case.policy = LossPolicy::Earliest;
    assert_eq!(case.offsets(), [100, 10, 10]);
    let losses = case.resolve().unwrap().losses;
    assert_eq!((losses.len(), losses[0].reason, losses[0].offsets()), (1, LossReason::Expired, 60));
    assert_eq!(case.resolve().unwrap().positions[0].1.leader_epoch, -1, "not of the record before the gap");
}

#[test]
fn both_ends_of_the_log_are_inside() {
    let mut case = Case::new();
    case.hold(0, 100).hold(1, 50).hold(2, 10);
    assert_eq!(case.offsets(), [100, 50, 10]);
}

#[test]
fn truncated_goes_on_at_the_end_as_all_before_it_was_read() {
    let mut case = Case::new();
    case.hold(0, 201).hold(1, 10).hold(2, 10);
    assert!(case.resolve().unwrap_err().to_string().contains("truncated (1 lost)"));
    case.policy = LossPolicy::Earliest;
    assert_eq!(case.offsets(), [200, 10, 10]);
    assert_eq!(case.resolve().unwrap().losses[0].reason, LossReason::Truncated);
}

#[test]
fn a_position_beyond_an_open_transaction_is_not_truncated() {
    let mut case = Case::new();
    case.ranges.insert(Partition::new("t", 0), LogRange { first: 100, end: 120, high: 200 });
    case.hold(0, 150).hold(1, 10).hold(2, 10);
    assert_eq!(case.offsets()[0], 150);
}

#[test]
fn another_topic_id_is_another_topic_even_where_the_offset_fits() {
    let mut case = Case::new();
    case.hold(0, 150).hold(1, 10).hold(2, 10);
    case.topics[0].id = OTHER_ID;
    let StartError::Lost(losses) = case.resolve().unwrap_err() else { panic!() };
    assert!(losses.iter().all(|loss| loss.reason == LossReason::Recreated && loss.offsets() == 0));
    case.policy = LossPolicy::Earliest;
    assert_eq!(case.offsets(), [100, 0, 10]);
    assert_eq!(case.resolve().unwrap().positions[0].1.topic_id, OTHER_ID);
}

#[test]
fn without_ids_a_shorter_log_is_another_topic() {
    for (then, now) in [(None, None), (None, ID), (ID, None)] {
        let mut case = Case::new();
        case.hold(1, 51).hold(0, 100).hold(2, 10);
        case.held.get_mut(&Partition::new("t", 1)).unwrap().topic_id = then;
        case.topics[0].id = now;
        case.policy = LossPolicy::Earliest;
        let doubts = case.doubts();
        assert_eq!(case.offsets(), [100, 0, 10]);
        assert_eq!(case.resolve().unwrap().losses, doubts);
        assert_eq!(doubts[0].reason, LossReason::Recreated);
    }
}

/// A new leader before 2.2 may tell an old end of its log for a moment.
#[test]
fn without_ids_an_end_below_the_position_is_believed_when_it_lasts() {
    let mut case = Case::new();
    case.topics[0].id = None;
    case.hold(0, 150).hold(1, 51).hold(2, 10);
    let doubts = case.doubts();
    assert_eq!((doubts.len(), &doubts[0].partition), (1, &Partition::new("t", 1)));
    assert!(matches!(case.resolve(), Err(StartError::Lost(losses)) if losses == doubts));
    case.ranges.insert(Partition::new("t", 1), LogRange { first: 0, end: 51, high: 51 });
    assert_eq!(case.offsets(), [150, 51, 10], "it was an old end");
}

#[test]
fn what_is_certainly_lost_is_told_without_what_is_not() {
    let mut case = Case::new();
    case.hold(0, 40).hold(1, 10).hold(2, 10).hold(3, 77);
    let StartError::Lost(losses) = case.resolve().unwrap_err() else { panic!() };
    assert_eq!(losses.iter().map(|loss| loss.reason).collect::<Vec<_>>(), [LossReason::Expired]);
    case.policy = LossPolicy::Earliest;
    assert_eq!(case.doubts()[0].reason, LossReason::Deleted);
    assert_eq!(case.resolve().unwrap().losses.len(), 2);
}

#[test]
fn fewer_partitions_than_before_is_a_loss() {
    let mut case = Case::new();
    case.hold(0, 150).hold(1, 10).hold(2, 10).hold(3, 77);
    assert_eq!(case.doubts().len(), 1);
    assert!(case.resolve().unwrap_err().to_string().contains("t/3: no longer exists, was read to offset 77"));
    case.policy = LossPolicy::Earliest;
    assert_eq!(case.resolve().unwrap().losses[0].reason, LossReason::Deleted);
    assert_eq!(case.offsets(), [150, 10, 10]);
}

#[test]
fn an_unknown_log_is_not_guessed() {
    let mut case = Case::new();
    case.ranges.remove(&Partition::new("t", 2));
    case.hold(2, 10);
    assert_eq!(case.resolve(), Err(StartError::Unknown(vec![Partition::new("t", 2)])));
}

#[test]
fn long_lists_are_cut() {
    let mut case = Case::new();
    case.topic("u", ID, &[(9, 9); 20]);
    for number in 0..20 {
        case.held.insert(Partition::new("u", number), Position::at(1));
    }
    let error = case.resolve().unwrap_err().to_string();
    assert!(error.contains("u/4:") && !error.contains("u/5:") && error.contains("and 15 more"), "{error}");
}
