//! Whoever else finds the executors' port: refused, and nothing is disturbed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use spindle::ids::{Generation, Slot};
use spindle::wire::message::{Hello, ToDriver, ToExecutor};
use spindle::wire::{self, Secret};

use crate::job::{PATIENCE, Running};
use crate::mock::Mock;
use crate::process;

fn hello(slot: u32, generation: u32) -> ToDriver {
    ToDriver::Hello(Hello {
        attempt: 1,
        slot: Slot(slot),
        generation: Generation(generation),
        host: "stranger".to_owned(),
        pid: 1,
        http: "127.0.0.1:1".to_owned(),
        version: "9".to_owned(),
    })
}

/// Connects with this secret, says these things, and returns what came back until the end of the link.
fn say(address: &str, secret: &Secret, words: &[ToDriver]) -> Result<Vec<ToExecutor>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let link = wire::connect(address, secret, PATIENCE).await.map_err(|error| error.to_string())?;
        let (mut sender, mut receiver) = link.split();
        for word in words {
            let (kind, payload) = word.encode();
            sender.send(kind, &payload).await.map_err(|error| error.to_string())?;
        }
        let mut answers = Vec::new();
        while let Some(frame) = receiver.recv().await.map_err(|error| error.to_string())? {
            answers.push(ToExecutor::decode(frame.kind, &frame.payload).unwrap());
        }
        Ok(answers)
    })
}

fn refused(answers: &Result<Vec<ToExecutor>, String>) -> bool {
    match answers {
        Ok(answers) => matches!(answers.as_slice(), [] | [ToExecutor::End { .. }]),
        Err(_) => true,
    }
}

fn refusals(job: &mut Running, lines: usize) {
    job.until("a warning for each", |seen| seen.logs("refuse a connection") == lines);
}

#[test]
fn strangers_are_refused_and_nothing_is_disturbed() {
    let mut mock = Mock::new(1, 4);
    let mut job = mock.job().start();
    let executors = job.until_connected(2);
    job.until_total(mock.write(100));
    let pid = executors[0].1;
    let address = process::argument(pid, "--driver").unwrap();
    let file = process::argument(pid, "--secret-file").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o077, 0, "only its owner reads it: {mode:o}");

    // Without the secret: nothing is learnt.
    let mut garbage = TcpStream::connect(&address).unwrap();
    garbage.set_read_timeout(Some(PATIENCE)).unwrap();
    garbage.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // It ends, by an end or by a reset.
    let _ = garbage.read_to_end(&mut answer);
    refusals(&mut job, 1);
    assert!(refused(&say(&address, &Secret::generate().unwrap(), &[hello(0, 0)])));
    refusals(&mut job, 2);
    // One that says nothing at all is let go after a while, and meanwhile holds nobody up.
    let silent = TcpStream::connect(&address).unwrap();

    // With the secret, as a confused executor might: second hello, old generation, unknown slot, other words.
    let secret = Secret::read(Path::new(&file)).unwrap();
    for (slot, generation) in [(0, 0), (0, 7), (99, 0)] {
        let answers = say(&address, &secret, &[hello(slot, generation)]);
        assert!(answers.is_ok() && refused(&answers), "{slot} {generation}: {answers:?}");
    }
    job.until("a warning for each", |seen| seen.logs("executor not let in") == 3);
    assert!(refused(&say(&address, &secret, &[ToDriver::Alive])));
    refusals(&mut job, 3);

    job.until_total(mock.write(100));
    refusals(&mut job, 4);
    drop(silent);
    assert_eq!(job.until_connected(2), executors, "the same ones as before");
    let seen = job.finish();
    seen.assert_whole();
    assert_eq!(seen.counts(), mock.writer.counts);
    let late = seen.windows.iter().map(|window| window.arrived_ms - window.window_end_ms).max().unwrap();
    assert!(Duration::from_millis(late.unsigned_abs()) < Duration::from_secs(2), "{late} ms late");
}
