//! Requests with a deadline that rust-rdkafka does not offer: topic ids, batched log ends under an isolation
//! level, commits that give up. Used by `admin`.

use std::time::Duration;

use super::*;

/// A request that failed as a whole, or about one topic or partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct Failure {
    /// librdkafka's or the broker's code.
    pub(in crate::source) code: i32,
    /// In words.
    pub(in crate::source) reason: String,
}

impl Failure {
    pub(in crate::source) fn new(code: ErrorCode) -> Self {
        Self { code: code as i32, reason: describe(code).to_owned() }
    }

    /// Whether the code is one of these.
    pub(in crate::source) fn is(&self, codes: &[ErrorCode]) -> bool {
        codes.iter().any(|code| *code as i32 == self.code)
    }
}

/// A topic as brokers describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct Described {
    pub(in crate::source) name: String,
    pub(in crate::source) id: Option<TopicId>,
    pub(in crate::source) internal: bool,
    pub(in crate::source) partitions: Vec<DescribedPartition>,
}

/// Number, leader or -1, replicas, in-sync replicas.
pub(in crate::source) type DescribedPartition = (i32, i32, Vec<i32>, Vec<i32>);

/// Which offset of a log to ask for (`RD_KAFKA_OFFSET_SPEC_*`, rdkafka.h).
#[derive(Debug, Clone, Copy)]
pub(in crate::source) enum Spec {
    Earliest,
    Latest,
    /// The first record that is not older than this.
    Time(Millis),
}

/// A wait: how long, and what to look at meanwhile; a failure ends it.
pub(in crate::source) struct Wait<'a> {
    pub(in crate::source) timeout: Duration,
    pub(in crate::source) check: &'a dyn Fn() -> Option<Failure>,
}

/// `RD_KAFKA_OFFSET_INVALID`: what stands in an answer that has not come.
const UNANSWERED: Offset = -1001;
/// How often a wait looks for a reason to give up.
const SLICE_MS: i32 = 100;

/// The controller's broker id as the last metadata had it, -1 for none.
pub(in crate::source) fn controller(client: &Client) -> i32 {
    // SAFETY: the client lives; with no time to wait the call only looks at what is known.
    unsafe { sys::rd_kafka_controllerid(client.client().native_ptr(), 0) }
}

/// Describes these topics; the answers are in the same order.
pub(in crate::source) fn describe_topics(
    client: &Arc<Client>,
    names: &[&str],
    wait: &Wait<'_>,
) -> Result<Vec<Result<Described, Failure>>, Failure> {
    let names: Vec<CString> = names.iter().filter_map(|name| CString::new(*name).ok()).collect();
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    let event = request(client, kind, None, wait, |rk, options, queue| {
        // SAFETY: the names live until the collection has copied them; the request copies the collection.
        unsafe {
            let topics = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            sys::rd_kafka_DescribeTopics(rk, topics, options, queue);
            sys::rd_kafka_TopicCollection_destroy(topics);
        }
    })?;
    // SAFETY: the result and all it leads to belong to the event, which lives to the end of this function.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(event.0);
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        Ok(array(topics, count).iter().map(|topic| described(*topic)).collect())
    }
}

/// # Safety
/// `topic` must belong to an event that lives.
unsafe fn described(topic: *const sys::rd_kafka_TopicDescription_t) -> Result<Described, Failure> {
    // SAFETY: by contract.
    unsafe {
        let error = sys::rd_kafka_TopicDescription_error(topic);
        if !error.is_null() && sys::rd_kafka_error_code(error) != ErrorCode::RD_KAFKA_RESP_ERR_NO_ERROR {
            let reason = text(sys::rd_kafka_error_string(error)).to_owned();
            return Err(Failure { code: sys::rd_kafka_error_code(error) as i32, reason });
        }
        let mut count = 0;
        let partitions = sys::rd_kafka_TopicDescription_partitions(topic, &raw mut count);
        Ok(Described {
            name: text(sys::rd_kafka_TopicDescription_name(topic)).to_owned(),
            id: topic_id(sys::rd_kafka_TopicDescription_topic_id(topic)),
            internal: sys::rd_kafka_TopicDescription_is_internal(topic) != 0,
            partitions: array(partitions, count)
                .iter()
                .map(|partition| described_partition(*partition))
                .collect(),
        })
    }
}

/// # Safety
/// `partition` must belong to an event that lives.
unsafe fn described_partition(partition: *const sys::rd_kafka_TopicPartitionInfo_t) -> DescribedPartition {
    // SAFETY: by contract; a partition without leader has none or one with a negative id.
    unsafe {
        let id =
            |node: *const sys::rd_kafka_Node_t| if node.is_null() { -1 } else { sys::rd_kafka_Node_id(node) };
        let nodes = |get: unsafe extern "C" fn(_, _) -> *mut *const sys::rd_kafka_Node_t| {
            let mut count = 0;
            let nodes = get(partition, &raw mut count);
            array(nodes, count).iter().map(|node| id(*node)).collect()
        };
        (
            sys::rd_kafka_TopicPartitionInfo_partition(partition),
            id(sys::rd_kafka_TopicPartitionInfo_leader(partition)),
            nodes(sys::rd_kafka_TopicPartitionInfo_replicas),
            nodes(sys::rd_kafka_TopicPartitionInfo_isr),
        )
    }
}

/// # Safety
/// `id` must be null or point to a live uuid.
unsafe fn topic_id(id: *const sys::rd_kafka_Uuid_t) -> Option<TopicId> {
    if id.is_null() {
        return None;
    }
    // SAFETY: by contract.
    let (most, least) = unsafe {
        (sys::rd_kafka_Uuid_most_significant_bits(id), sys::rd_kafka_Uuid_least_significant_bits(id))
    };
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&most.to_be_bytes());
    bytes[8..].copy_from_slice(&least.to_be_bytes());
    // Brokers that know no ids leave it zero.
    (bytes != [0; 16]).then_some(TopicId(bytes))
}

/// An offset with its leader epoch, -1 where unknown; offset -1 = there is none.
pub(in crate::source) type Found = (Partition, Result<(Offset, i32), Failure>);

/// Asks the partitions' leaders for offsets, one request per leader. Isolation decides what the latest is.
///
/// Each partition is judged by itself, against librdkafka's habit: where no partition has a leader it fails the whole
/// request, and where a leader does not answer it gives [`UNANSWERED`] without an error.
pub(in crate::source) fn list_offsets(
    client: &Arc<Client>,
    partitions: &[Partition],
    spec: Spec,
    read_committed: bool,
    wait: &Wait<'_>,
) -> Result<Vec<Found>, Failure> {
    let offset = match spec {
        Spec::Latest => -1,
        Spec::Earliest => -2,
        Spec::Time(ms) => ms.max(0),
    };
    let list = list(partitions.iter().map(|partition| (partition, Position::at(offset))));
    let isolation = if read_committed {
        sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED
    } else {
        sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED
    };
    let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS;
    let asked = request(client, kind, Some(isolation), wait, |rk, options, queue| {
        // SAFETY: the request copies the list.
        unsafe { sys::rd_kafka_ListOffsets(rk, list.ptr(), options, queue) }
    });
    let event = match asked {
        Err(failure) if failure.is(&[ErrorCode::RD_KAFKA_RESP_ERR__NOENT]) => {
            let failure = Failure::new(ErrorCode::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE);
            return Ok(partitions.iter().map(|p| (p.clone(), Err(failure.clone()))).collect());
        }
        asked => asked?,
    };
    // SAFETY: the result and all it leads to belong to the event, which lives to the end of this function.
    unsafe {
        let result = sys::rd_kafka_event_ListOffsets_result(event.0);
        let mut count = 0;
        let infos = sys::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
        let partitions = array(infos, count).iter();
        Ok(partitions
            .map(|info| element(sys::rd_kafka_ListOffsetsResultInfo_topic_partition(*info)))
            .map(|(partition, result)| (partition, result.and_then(answered)))
            .collect())
    }
}

fn answered(found: (Offset, i32)) -> Result<(Offset, i32), Failure> {
    let unanswered = Failure::new(ErrorCode::RD_KAFKA_RESP_ERR__TIMED_OUT);
    if found.0 == UNANSWERED { Err(unanswered) } else { Ok(found) }
}

/// What a list of partitions says of each.
pub(in crate::source) fn found(list: &TopicPartitionList) -> Vec<Found> {
    // SAFETY: the list lives and its first `cnt` elements are valid.
    unsafe {
        let raw = &*list.ptr();
        (0..usize::try_from(raw.cnt).unwrap_or(0)).map(|n| element(raw.elems.add(n))).collect()
    }
}

/// # Safety
/// `element` must point to a live element of a partition list.
unsafe fn element(element: *const sys::rd_kafka_topic_partition_t) -> Found {
    // SAFETY: by contract; the code is read as the C int it is.
    unsafe {
        let partition = Partition::new(text((*element).topic), (*element).partition);
        let code = (&raw const (*element).err).cast::<i32>().read();
        let epoch = sys::rd_kafka_topic_partition_get_leader_epoch(element);
        let result = if code == 0 {
            Ok(((*element).offset, epoch))
        } else {
            Err(Failure { code, reason: describe_number(code).to_owned() })
        };
        (partition, result)
    }
}

/// Commits these positions for the client's group.
pub(in crate::source) fn commit(
    client: &Arc<Client>,
    positions: &[(Partition, Position)],
    wait: &Wait<'_>,
) -> Result<(), Failure> {
    let list = list(positions.iter().map(|(partition, position)| (partition, *position)));
    let queue = Queue::new(Arc::clone(client));
    // SAFETY: the list is copied; the answer goes to the queue as an event, since BaseConsumer enables those.
    let code = unsafe {
        let rk = client.client().native_ptr();
        sys::rd_kafka_commit_queue(rk, list.ptr(), queue.queue.as_ptr(), None, ptr::null_mut())
    };
    if code != ErrorCode::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(Failure::new(code));
    }
    let event = answer(&queue, wait)?;
    event.failure().map_or(Ok(()), Err)?;
    // SAFETY: the list belongs to the event, which lives to the end of this function.
    let refused = unsafe {
        let list = sys::rd_kafka_event_topic_partition_list(event.0);
        if list.is_null() {
            return Ok(());
        }
        (0..usize::try_from((*list).cnt).unwrap_or(0)).find_map(|n| {
            let (partition, result) = element((*list).elems.add(n));
            result
                .err()
                .map(|failure| Failure { reason: format!("{partition}: {}", failure.reason), ..failure })
        })
    };
    refused.map_or(Ok(()), Err)
}

/// An event that is ours.
struct Event(*mut sys::rd_kafka_event_t);

impl Event {
    fn failure(&self) -> Option<Failure> {
        // SAFETY: the event lives.
        unsafe {
            let code = sys::rd_kafka_event_error(self.0);
            let reason = || text(sys::rd_kafka_event_error_string(self.0)).to_owned();
            (code != ErrorCode::RD_KAFKA_RESP_ERR_NO_ERROR)
                .then(|| Failure { code: code as i32, reason: reason() })
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: got from the queue once, destroyed once.
        unsafe { sys::rd_kafka_event_destroy(self.0) }
    }
}

/// Sends an admin request and waits for its answer.
fn request(
    client: &Arc<Client>,
    kind: sys::rd_kafka_admin_op_t,
    isolation: Option<sys::rd_kafka_IsolationLevel_t>,
    wait: &Wait<'_>,
    send: impl FnOnce(*mut sys::rd_kafka_t, *const sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
) -> Result<Event, Failure> {
    let queue = Queue::new(Arc::clone(client));
    let rk = client.client().native_ptr();
    let mut reason: [c_char; 512] = [0; 512];
    // Shorter than ours: what some brokers have answered comes when librdkafka gives the others up, and it counts their
    // time from when it knows the leaders.
    let timeout_ms = c_int::try_from(wait.timeout.as_millis() * 4 / 5).unwrap_or(c_int::MAX);
    // SAFETY: the client and the queue live; the options are destroyed once, after the request has copied them.
    unsafe {
        let options = sys::rd_kafka_AdminOptions_new(rk, kind);
        let size = reason.len();
        sys::rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, reason.as_mut_ptr(), size);
        if let Some(level) = isolation {
            let error = sys::rd_kafka_AdminOptions_set_isolation_level(options, level);
            if !error.is_null() {
                sys::rd_kafka_error_destroy(error);
            }
        }
        send(rk, options, queue.queue.as_ptr());
        sys::rd_kafka_AdminOptions_destroy(options);
    }
    let event = answer(&queue, wait)?;
    event.failure().map_or(Ok(event), Err)
}

/// Waits for an event in slices, so that a hopeless wait ends early.
fn answer(queue: &Queue, wait: &Wait<'_>) -> Result<Event, Failure> {
    let slices = wait.timeout.as_millis() / SLICE_MS.unsigned_abs() as u128 + 1;
    for _ in 0..slices {
        // SAFETY: the queue lives; the event becomes ours.
        let event = unsafe { sys::rd_kafka_queue_poll(queue.queue.as_ptr(), SLICE_MS) };
        if !event.is_null() {
            return Ok(Event(event));
        }
        if let Some(failure) = (wait.check)() {
            return Err(failure);
        }
    }
    Err(Failure::new(ErrorCode::RD_KAFKA_RESP_ERR__TIMED_OUT))
}

/// # Safety
/// `first` must point to `count` elements that live for `'a`, or `count` be 0.
unsafe fn array<'a, T>(first: *mut *const T, count: usize) -> &'a [*const T] {
    if first.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: by contract.
    unsafe { slice::from_raw_parts(first, count) }
}
