//! The only place that calls librdkafka directly: what rust-rdkafka does not wrap. Feeds `kafka` and `admin`.
//!
//! A private queue drained in batches, its wake-up, and leader epochs in lists here; admin requests with topic
//! ids, isolation and deadlines in `native/requests.rs`.
#![expect(unsafe_code, reason = "rust-rdkafka has no batch drain, leader epochs, topic ids, ListOffsets")]

use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::raw::{c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::thread;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::{ClientConfig, TopicPartitionList};
use rdkafka_sys as sys;
use rdkafka_sys::rd_kafka_resp_err_t as ErrorCode;

use super::events::{self, Events};
use crate::ids::{Millis, Offset, Partition, Position, TopicId};

pub(super) mod requests;

/// The librdkafka client behind sources and admin. Closed in a thread of its own when it is dropped: that joins
/// the client's threads and waits for what is under way, seconds when brokers are away (up to session.timeout.ms).
pub(super) struct Client(Option<BaseConsumer<Events>>);

impl Client {
    pub(super) fn create(config: &ClientConfig) -> KafkaResult<Arc<Self>> {
        events::warn_of_another_librdkafka();
        Ok(Arc::new(Self(Some(config.create_with_context(Events::default())?))))
    }
}

/// The librdkafka in use, in the form of `RD_KAFKA_VERSION`.
pub(super) fn version() -> i32 {
    // SAFETY: returns a constant.
    unsafe { sys::rd_kafka_version() }
}

impl Deref for Client {
    type Target = BaseConsumer<Events>;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect("there until it is dropped")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let consumer = self.0.take();
        // Without a thread to be had it is closed here: the closure is dropped with what it holds.
        drop(thread::Builder::new().name("kafka-close".to_owned()).spawn(move || drop(consumer)));
    }
}

/// A queue of our own on a client. Keeps the client alive, as a queue must not outlive it.
pub(super) struct Queue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    client: Arc<Client>,
}

// SAFETY: librdkafka's queues are guarded by their own lock; every function used on them may be called from any
// thread (INTRODUCTION.md, "Threads and callbacks").
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Queue {
    pub(super) fn new(client: Arc<Client>) -> Self {
        // SAFETY: the client lives; the queue is destroyed in `drop`, before this reference to the client goes.
        let queue = unsafe { sys::rd_kafka_queue_new(client.client().native_ptr()) };
        Self { queue: NonNull::new(queue).expect("rd_kafka_queue_new allocates or aborts"), client }
    }

    /// The client's own queue: events, and logs, in the order in which they came about.
    pub(super) fn of_events(client: &Arc<Client>) -> Self {
        // SAFETY: the client lives and has a consumer queue, as it has a group; the handle is destroyed in `drop`.
        let queue = unsafe { sys::rd_kafka_queue_get_consumer(client.client().native_ptr()) };
        Self {
            queue: NonNull::new(queue).expect("a client with a group has this queue"),
            client: Arc::clone(client),
        }
    }

    /// Makes everything about this partition arrive in this queue.
    ///
    /// Before the partition is started, so that no message goes to the consumer's queue: the application's
    /// forwarding is kept when fetching starts (`RD_KAFKA_Q_F_FWD_APP`, rdkafka_partition.c) but cleared
    /// when it stops, some time after the request. False when the client has no such partition queue.
    #[must_use]
    pub(super) fn collect(&self, partition: &Partition) -> bool {
        let Ok(topic) = CString::new(&*partition.topic) else { return false };
        // SAFETY: the topic is a C string for the call; the returned handle is destroyed once, here, which leaves
        // the partition's own queue and its forwarding in place.
        unsafe {
            let rk = self.client.client().native_ptr();
            let own = sys::rd_kafka_queue_get_partition(rk, topic.as_ptr(), partition.number);
            if own.is_null() {
                return false;
            }
            sys::rd_kafka_queue_forward(own, self.queue.as_ptr());
            sys::rd_kafka_queue_destroy(own);
        }
        true
    }

    /// Makes a wait on this queue, running or next, return.
    pub(super) fn wake(&self) {
        // SAFETY: the queue lives as long as `self`.
        unsafe { sys::rd_kafka_queue_yield(self.queue.as_ptr()) }
    }

    /// Messages and events in the queue.
    pub(super) fn len(&self) -> usize {
        // SAFETY: the queue lives as long as `self`.
        unsafe { sys::rd_kafka_queue_length(self.queue.as_ptr()) }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: created in `new`, destroyed only here, while `client` is alive.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// Room for the messages of one batch.
#[derive(Default)]
pub(super) struct Batch {
    messages: Box<[*mut sys::rd_kafka_message_t]>,
}

// SAFETY: while no `Taken` is there the pointers are stale and never read.
unsafe impl Send for Batch {}

/// What [`Taken::show`] calls. A run is a stretch of messages of one partition with the same error code.
pub(super) trait Runs {
    /// The next message begins a run; it is given to `message` afterwards too.
    fn begin(&mut self, first: Message<'_>);
    /// One message.
    fn message(&mut self, message: Message<'_>);
    /// The run is over; this was its last message.
    fn end(&mut self, last: Message<'_>);
}

impl Batch {
    pub(super) fn new(messages_max: usize) -> Self {
        Self { messages: vec![ptr::null_mut(); messages_max].into_boxed_slice() }
    }

    /// Takes up to `count_max` messages from the queue.
    ///
    /// Waits until there are so many, the time is up or the queue was woken.
    #[inline]
    pub(super) fn take(&mut self, queue: &Queue, wait_ms: i32, count_max: usize) -> Taken<'_> {
        let room = count_max.min(self.messages.len());
        // SAFETY: the array has room for that many pointers and the queue lives. The messages become ours.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(queue.queue.as_ptr(), wait_ms, self.messages.as_mut_ptr(), room)
        };
        let count = usize::try_from(count).unwrap_or(0).min(room);
        Taken(&self.messages[..count])
    }
}

/// Messages that are ours: destroyed when shown, or when dropped.
pub(super) struct Taken<'a>(&'a [*mut sys::rd_kafka_message_t]);

impl Taken<'_> {
    /// Shows the messages, in order.
    #[inline]
    pub(super) fn show(mut self, runs: &mut impl Runs) {
        let Some(&first) = self.0.first() else { return };
        // SAFETY: each pointer is a message that is ours until `destroy_first`, which comes after its last use.
        let mut last = unsafe { Message::new(first) };
        runs.begin(last);
        runs.message(last);
        while let Some(&next) = self.0.get(1) {
            // SAFETY: as above.
            let next = unsafe { Message::new(next) };
            if !next.same_run(last) {
                runs.end(last);
                runs.begin(next);
            }
            self.destroy_first();
            runs.message(next);
            last = next;
        }
        runs.end(last);
    }

    #[inline(always)]
    fn destroy_first(&mut self) {
        if let Some((&first, rest)) = self.0.split_first() {
            self.0 = rest;
            // SAFETY: it left the slice, so it is destroyed once, and `show` does not use it again.
            unsafe { sys::rd_kafka_message_destroy(first) }
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        while !self.0.is_empty() {
            self.destroy_first();
        }
    }
}

/// One message, or an error about a partition, as librdkafka hands it over.
///
/// A pointer, not a reference: the error code may be one that this version has no name for.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    message: *const sys::rd_kafka_message_t,
    batch: PhantomData<&'a ()>,
}

impl<'a> Message<'a> {
    /// # Safety
    /// `message` must be a message from librdkafka that is not destroyed during `'a`.
    #[inline(always)]
    unsafe fn new(message: *const sys::rd_kafka_message_t) -> Self {
        Self { message, batch: PhantomData }
    }

    #[inline(always)]
    fn same_run(self, other: Message<'_>) -> bool {
        self.topic_handle() == other.topic_handle()
            && self.partition() == other.partition()
            && self.error() == other.error()
    }

    /// The client's handle of the topic, as a number: equal for messages of the same topic, while it is assigned.
    #[inline(always)]
    pub(super) fn topic_handle(self) -> usize {
        // SAFETY: the message lives.
        unsafe { (*self.message).rkt.addr() }
    }

    pub(super) fn topic(self) -> &'a str {
        // SAFETY: the message lives, and the name as long as the topic handle, which the message holds.
        unsafe {
            let handle = (*self.message).rkt;
            if handle.is_null() { "" } else { text(sys::rd_kafka_topic_name(handle)) }
        }
    }

    #[inline(always)]
    pub(super) fn partition(self) -> i32 {
        // SAFETY: the message lives.
        unsafe { (*self.message).partition }
    }

    #[inline(always)]
    pub(super) fn offset(self) -> Offset {
        // SAFETY: the message lives.
        unsafe { (*self.message).offset }
    }

    /// The error's code, 0 for a record.
    #[inline(always)]
    pub(super) fn error(self) -> i32 {
        // SAFETY: the message lives; the code is read as the C int it is.
        unsafe { (&raw const (*self.message).err).cast::<i32>().read() }
    }

    #[inline(always)]
    pub(super) fn key(self) -> Option<&'a [u8]> {
        // SAFETY: librdkafka gives null for a null key, else `key_len` bytes that live as long as the message.
        unsafe { bytes((*self.message).key, (*self.message).key_len) }
    }

    /// The value; of an error, its text.
    #[inline(always)]
    pub(super) fn value(self) -> Option<&'a [u8]> {
        // SAFETY: as for `key`.
        unsafe { bytes((*self.message).payload, (*self.message).len) }
    }

    #[inline]
    pub(super) fn timestamp_ms(self) -> Option<Millis> {
        // SAFETY: the message lives; a null pointer for the timestamp's type is allowed.
        let ms = unsafe { sys::rd_kafka_message_timestamp(self.message, ptr::null_mut()) };
        (ms >= 0).then_some(ms)
    }

    /// Leader epoch of the record's batch, -1 where there is none.
    #[inline]
    pub(super) fn leader_epoch(self) -> i32 {
        // SAFETY: the message lives.
        unsafe { sys::rd_kafka_message_leader_epoch(self.message) }
    }

    pub(super) fn header(self, name: &CStr) -> Option<Option<&'a [u8]>> {
        let mut headers = ptr::null_mut();
        let (mut value, mut len) = (ptr::null::<c_void>(), 0);
        // SAFETY: headers are parsed into the message, live as long as it, and are not detached.
        unsafe {
            let none = ErrorCode::RD_KAFKA_RESP_ERR_NO_ERROR;
            if sys::rd_kafka_message_headers(self.message, &raw mut headers) != none
                || sys::rd_kafka_header_get_last(headers, name.as_ptr(), &raw mut value, &raw mut len) != none
            {
                return None;
            }
            Some(bytes(value, len))
        }
    }
}

impl std::fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}@{}", self.topic(), self.partition(), self.offset())
    }
}

/// # Safety
/// `data` must be null or point to `len` bytes that live for `'a`.
#[inline(always)]
unsafe fn bytes<'a>(data: *const c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: by contract.
    (!data.is_null()).then(|| unsafe { slice::from_raw_parts(data.cast::<u8>(), len) })
}

/// A list of partitions with offsets and, where they are known, leader epochs.
pub(super) fn list<'a>(positions: impl IntoIterator<Item = (&'a Partition, Position)>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (partition, position) in positions {
        list.add_partition(&partition.topic, partition.number);
        // SAFETY: the element was just added, so the array is not empty and its last element is ours to change.
        unsafe {
            let list = &*list.ptr();
            let element = list.elems.add(usize::try_from(list.cnt - 1).unwrap_or(0));
            (*element).offset = position.offset;
            if position.leader_epoch >= 0 {
                sys::rd_kafka_topic_partition_set_leader_epoch(element, position.leader_epoch);
            }
        }
    }
    list
}

/// A topic id as librdkafka prints it.
pub(super) fn topic_id_text(id: TopicId) -> String {
    let half = |bytes: &[u8]| bytes.iter().fold(0i64, |bits, byte| bits << 8 | i64::from(*byte));
    // SAFETY: the uuid is ours; its text belongs to it and is copied before it is destroyed.
    unsafe {
        let uuid = sys::rd_kafka_Uuid_new(half(&id.0[..8]), half(&id.0[8..]));
        let id = text(sys::rd_kafka_Uuid_base64str(uuid)).to_owned();
        sys::rd_kafka_Uuid_destroy(uuid);
        id
    }
}

/// The log's end as of the last fetch of this partition, without asking anyone.
pub(super) fn cached_log_end(client: &Client, topic: &CStr, partition: i32) -> Option<Offset> {
    let (mut first, mut end) = (-1, -1);
    // SAFETY: the client lives, the pointers are valid for the call.
    let code = unsafe {
        sys::rd_kafka_get_watermark_offsets(
            client.client().native_ptr(),
            topic.as_ptr(),
            partition as c_int,
            &raw mut first,
            &raw mut end,
        )
    };
    (code == ErrorCode::RD_KAFKA_RESP_ERR_NO_ERROR && end >= 0).then_some(end)
}

/// librdkafka's text for an error code.
pub(in crate::source) fn describe(code: ErrorCode) -> &'static str {
    describe_number(code as i32)
}

/// The same for a code that may be younger than this librdkafka.
fn describe_number(code: i32) -> &'static str {
    type ErrorText<T> = unsafe extern "C" fn(T) -> *const c_char;
    // SAFETY: a C enum and a C int are passed alike; librdkafka has a text for any number, and texts are static.
    unsafe {
        let for_any = std::mem::transmute::<ErrorText<ErrorCode>, ErrorText<c_int>>(sys::rd_kafka_err2str);
        text(for_any(code))
    }
}

/// # Safety
/// `text` must be null or a C string that lives for `'a`.
unsafe fn text<'a>(text: *const c_char) -> &'a str {
    if text.is_null() {
        return "";
    }
    // SAFETY: by contract.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or_default()
}
