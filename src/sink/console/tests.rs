//! The console against readers that read, stall and vanish. A gate stands for the reader; nothing sleeps.

use std::sync::Mutex;
use std::sync::mpsc::{SyncSender, sync_channel};

use super::*;
use crate::sink::samples::window;

const LONG: Duration = Duration::from_secs(30);

/// Takes a write only when the test gives a permit; no more permits means that the reader is gone.
struct Gate {
    permits: Receiver<()>,
    entered: Sender<()>,
    taken: Arc<Mutex<Vec<u8>>>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.entered.send(());
        self.permits.recv().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        self.taken.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Reader {
    permits: SyncSender<()>,
    entered: Receiver<()>,
    taken: Arc<Mutex<Vec<u8>>>,
    events: Receiver<ConsoleEvent>,
}

fn start(format: Format) -> (Console, Reader) {
    let (permits, gate_permits) = sync_channel(100);
    let (gate_entered, entered) = mpsc::channel();
    let (event, events) = mpsc::channel();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let gate = Gate { permits: gate_permits, entered: gate_entered, taken: Arc::clone(&taken) };
    let on_event = move |what| event.send(what).unwrap_or_default();
    let limits = QueueLimits { windows: QUEUE_WINDOWS_MAX, burst_bytes: QUEUE_BYTES_MAX };
    let console = Console::start(format, "App", limits, gate, Clock::start(), on_event).unwrap();
    (console, Reader { permits, entered, taken, events })
}

impl Reader {
    fn read(&self, windows: usize) -> Vec<Millis> {
        (0..windows).for_each(|_| self.permits.send(()).unwrap());
        let printed = |_| match self.events.recv_timeout(LONG).unwrap() {
            ConsoleEvent::Printed { end_ms, wall_ms, .. } => {
                assert!(wall_ms > 1_700_000_000_000);
                end_ms
            }
            closed @ ConsoleEvent::Closed { .. } => panic!("{closed:?}"),
        };
        (0..windows).map(printed).collect()
    }

    fn text(&self) -> String {
        String::from_utf8(self.taken.lock().unwrap().clone()).unwrap()
    }
}

#[test]
fn windows_are_printed_whole_and_in_order() {
    let (mut console, reader) = start(Format::Spark);
    assert_eq!(console.offer(&window(1_000, &[(1, "a")], 10)), Offered::Queued);
    assert_eq!(console.offer(&window(2_000, &[], 10)), Offered::Queued);
    assert_eq!(reader.read(2), [1_000, 2_000]);
    console.finish(LONG).unwrap();
    let rule = "-".repeat(43);
    assert_eq!(
        reader.text(),
        format!("{rule}\nTime: 1000 ms\n{rule}\n(1,a)\n\n{rule}\nTime: 2000 ms\n{rule}\n\n")
    );
}

#[test]
fn a_reader_that_stalls_costs_windows_but_no_time() {
    let (mut console, reader) = start(Format::Json);
    let offer = |console: &mut Console, end_ms| console.offer(&window(end_ms, &[(1, "a")], 10));
    let most = QUEUE_WINDOWS_MAX as Millis;
    for end_ms in 1..=most {
        assert_eq!(offer(&mut console, end_ms), Offered::Queued);
    }
    reader.entered.recv_timeout(LONG).unwrap();
    assert_eq!(offer(&mut console, 100), Offered::Skipped);
    assert_eq!(offer(&mut console, 101), Offered::Skipped);
    assert_eq!(console.skipped(), 2);
    assert_eq!(reader.read(QUEUE_WINDOWS_MAX), (1..=most).collect::<Vec<_>>());
    assert_eq!(offer(&mut console, 102), Offered::Queued);
    assert_eq!(reader.read(1), [102]);
    assert_eq!(reader.text().lines().count(), QUEUE_WINDOWS_MAX + 1);
    console.finish(LONG).unwrap();
}

/// A driver that stalled makes many windows at once: none of them is the reader's fault.
#[test]
fn windows_that_were_made_at_once_are_all_printed() {
    let (mut console, reader) = start(Format::Json);
    console.expect(60);
    for end_ms in 1..=60 {
        assert_eq!(console.offer(&window(end_ms, &[(1, "a")], 10)), Offered::Queued, "window {end_ms}");
    }
    assert_eq!(reader.read(60), (1..=60).collect::<Vec<_>>());
    assert_eq!(console.skipped(), 0);
    console.finish(LONG).unwrap();
}

#[test]
fn a_table_compares_with_what_was_printed_not_with_what_was_skipped() {
    let (mut console, reader) = start(Format::Table);
    for end_ms in 0..QUEUE_WINDOWS_MAX as Millis {
        console.offer(&window(end_ms, &[(1, "a")], 10));
    }
    assert_eq!(console.offer(&window(100_000, &[(50, "a")], 10)), Offered::Skipped);
    reader.read(QUEUE_WINDOWS_MAX);
    console.offer(&window(101_000, &[(60, "a")], 10));
    reader.read(1);
    assert!(reader.text().contains("+59  a\n"), "{}", reader.text());
}

#[test]
fn a_reader_that_is_gone_is_told_once_and_takes_nothing_more() {
    let (mut console, reader) = start(Format::Spark);
    let Reader { permits, events, .. } = reader;
    drop(permits);
    assert!(!console.closed());
    assert_eq!(console.offer(&window(1_000, &[], 10)), Offered::Queued);
    let event = events.recv_timeout(LONG).unwrap();
    assert!(matches!(&event, ConsoleEvent::Closed { error } if error.kind() == io::ErrorKind::BrokenPipe));
    assert!(console.closed());
    assert_eq!(console.offer(&window(2_000, &[], 10)), Offered::Closed);
    assert_eq!(console.skipped(), 0);
    console.finish(LONG).unwrap();
    assert!(events.recv_timeout(LONG).is_err(), "the thread has ended");
}

#[test]
fn finish_prints_what_is_queued_or_says_how_much_is_not() {
    let (mut console, reader) = start(Format::Spark);
    (1..=3).for_each(|end_ms| assert_eq!(console.offer(&window(end_ms, &[], 10)), Offered::Queued));
    (0..3).for_each(|_| reader.permits.send(()).unwrap());
    console.finish(LONG).unwrap();
    assert_eq!(reader.text().lines().count(), 12);

    let (mut console, reader) = start(Format::Spark);
    (1..=3).for_each(|end_ms| assert_eq!(console.offer(&window(end_ms, &[], 10)), Offered::Queued));
    assert_eq!(console.finish(Duration::from_millis(20)), Err(Unfinished { windows: 3 }));
    drop(reader);
}
