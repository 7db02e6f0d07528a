//! The driver's end of the conversation against a scripted shim; time stands still unless a test moves it.

use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf, duplex, split,
};

use super::*;

const HELLO_LINE: &str =
    r#"{"type":"hello","v":1,"app":"application_1_2","attempt":2,"host":"nm1","container":"c","later":1}"#;

/// The shim, as a script.
struct Script {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    out: WriteHalf<DuplexStream>,
}

impl Script {
    async fn say(&mut self, line: &str) {
        self.out.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn hear(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.lines.next_line().await.unwrap().expect("the driver goes on")).unwrap()
    }
}

type Driver = Shim<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>;

async fn meeting(first: &str) -> (Script, Result<(Hello, Driver), ShimError>) {
    let (ours, theirs) = duplex(64 << 10);
    let (input, output) = split(ours);
    let (read, out) = split(theirs);
    let mut script = Script { lines: BufReader::new(read).lines(), out };
    script.say(first).await;
    (script, Shim::meet(input, output).await)
}

struct Talk {
    script: Script,
    launcher: ShimLauncher,
    end: oneshot::Receiver<ShimError>,
    events: mpsc::UnboundedReceiver<LaunchEvent>,
}

/// Past hello and ready.
async fn talking() -> Talk {
    let (mut script, met) = meeting(HELLO_LINE).await;
    let (hello, shim) = met.unwrap();
    assert_eq!((hello.app.as_str(), hello.attempt, hello.host.as_str()), ("application_1_2", 2, "nm1"));
    let (events, incoming) = mpsc::unbounded_channel();
    let command = ContainerCommand {
        argv: vec!["./spindle".to_owned(), "executor".to_owned()],
        memory_mb: 256,
        cores: 1,
        exclude: vec!["nm9".to_owned()],
        label: "fast".to_owned(),
    };
    let (launcher, end) = shim.start("nm1:4040".to_owned(), command, events);
    let ready = script.hear().await;
    assert_eq!(ready, serde_json::json!({"type": "ready", "http": "nm1:4040"}));
    Talk { script, launcher, end, events: incoming }
}

fn target(revision: u64, slots: &[(u32, u32)]) -> Target {
    Target { revision, slots: slots.iter().map(|&(slot, gen_)| (Slot(slot), Generation(gen_))).collect() }
}

#[tokio::test(start_paused = true)]
async fn targets_wait_for_the_registration_and_the_newest_is_sent() {
    let Talk { mut script, mut launcher, .. } = talking().await;
    launcher.converge(&target(1, &[(0, 0)]));
    launcher.converge(&target(2, &[(0, 0), (1, 0)]));
    script.say(r#"{"type":"ping","n":7}"#).await;
    assert_eq!(script.hear().await, serde_json::json!({"type": "pong", "n": 7}), "no target before it");
    script.say(r#"{"type":"registered","max_memory_mb":4096,"queue":"default","nodes":2}"#).await;
    let ordered = script.hear().await;
    assert_eq!((&ordered["type"], &ordered["rev"]), (&"target".into(), &2.into()), "{ordered}");
    let slot = serde_json::json!({
        "slot": 1, "gen": 0, "memory_mb": 256, "cores": 1, "avoid": [],
        "argv": ["./spindle", "executor", "--slot", "1", "--generation", "0"],
    });
    assert_eq!((&ordered["slots"][1], &ordered["exclude"][0]), (&slot, &"nm9".into()));
    assert_eq!(ordered["label"], "fast");
}

#[tokio::test(start_paused = true)]
async fn what_becomes_of_executors_is_told_and_a_failed_host_avoided() {
    let Talk { mut script, mut launcher, mut events, .. } = talking().await;
    script.say(r#"{"type":"registered","max_memory_mb":4096,"queue":"default","nodes":2}"#).await;
    script.say(r#"{"type":"news","of":"a newer shim"}"#).await;
    script
        .say(r#"{"type":"started","slot":1,"gen":0,"container":"c2","host":"nm2","log_url":"http://x"}"#)
        .await;
    let place =
        Place { container: "c2".to_owned(), host: "nm2".to_owned(), log_url: Some("http://x".to_owned()) };
    assert_eq!(events.recv().await, Some(LaunchEvent::Started(Slot(1), Generation(0), Some(place))));
    script
        .say(r#"{"type":"exited","slot":1,"gen":0,"container":"c2","host":"nm2","class":"memory","code":-104,"diagnostics":"\n beyond physical memory limits \n stack"}"#)
        .await;
    let exited = events.recv().await.unwrap();
    let LaunchEvent::Exited { class, how, host, .. } = exited else { panic!("{exited:?}") };
    assert_eq!(
        (class, how.as_str()),
        (ExitClass::Memory, "exit status -104: beyond physical memory limits; raise executors.memory")
    );
    launcher.failed_on(Slot(1), host.unwrap());
    launcher.converge(&target(1, &[(1, 1)]));
    assert_eq!(script.hear().await["slots"][0]["avoid"][0], "nm2");
}

#[tokio::test(start_paused = true)]
async fn finish_waits_until_the_shim_has_left() {
    let Talk { mut script, launcher, end, .. } = talking().await;
    let finish = tokio::spawn(launcher.ending().finish(Some("no brokers".to_owned()), end));
    let said = script.hear().await;
    assert_eq!(said, serde_json::json!({"type": "finish", "status": "FAILED", "diagnostics": "no brokers"}));
    assert!(!finish.is_finished());
    drop(script);
    finish.await.unwrap().unwrap();
}

async fn ends_with(say: &str) -> String {
    let Talk { mut script, end, .. } = talking().await;
    if !say.is_empty() {
        script.say(say).await;
    }
    end.await.unwrap().to_string()
}

#[tokio::test(start_paused = true)]
async fn every_way_to_lose_the_shim_ends_the_conversation() {
    assert_eq!(ends_with("").await, "the application master is gone: it has said nothing for 60 s");
    assert!(ends_with("gibberish").await.contains("a line is not one of its messages"));
    assert!(ends_with(r#"{"type":"ping"}"#).await.contains("missing field `n`"));
    let Talk { script, end, .. } = talking().await;
    drop(script);
    assert!(matches!(end.await.unwrap(), ShimError::Gone));
}

#[tokio::test(start_paused = true)]
async fn a_shim_that_reads_nothing_is_dead_though_it_talks() {
    let Talk { mut script, mut launcher, mut end, .. } = talking().await;
    script.say(r#"{"type":"registered","max_memory_mb":4096,"queue":"default","nodes":2}"#).await;
    let many: Vec<_> = (0..2_000).map(|slot| (slot, 0)).collect();
    launcher.converge(&target(1, &many));
    let why = loop {
        tokio::select! {
            why = &mut end => break why.unwrap(),
            () = time::sleep(Duration::from_secs(10)) => script.say(r#"{"type":"ping","n":1}"#).await,
        }
    };
    assert_eq!(why.to_string(), "the application master is gone: it has read nothing for 60 s");
}

#[tokio::test(start_paused = true)]
async fn who_is_no_shim_of_ours_is_refused() {
    let refused = async |first: &str| match meeting(first).await.1 {
        Ok((hello, _)) => panic!("{hello:?}"),
        Err(error) => error.to_string(),
    };
    assert!(refused(r#"{"type":"ping","n":1}"#).await.contains("expected hello"));
    assert!(refused(&HELLO_LINE.replace(":1,", ":9,")).await.contains("it speaks version 9"));
    let long = format!("{{\"type\":\"{}", "x".repeat(LINE_BYTES_MAX));
    let (ours, theirs) = duplex(LINE_BYTES_MAX * 2);
    let (input, output) = split(ours);
    let (_read, mut out) = split(theirs);
    out.write_all(long.as_bytes()).await.unwrap();
    let error = Shim::meet(input, output).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("a line is longer than"), "{error}");
}
