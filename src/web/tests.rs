//! The routes as Prometheus, a browser and YARN's proxy meet them, over loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::config::Ports;

/// A driver's HTTP side with nothing behind it but a queue of orders.
pub(super) struct Served {
    pub(super) addr: SocketAddr,
    pub(super) view: Arc<DriverView>,
    pub(super) orders: mpsc::Receiver<Action>,
    end: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

pub(super) const TOKEN: [u8; 32] = [0xab; 32];

pub(super) fn snapshot() -> Snapshot {
    let executor = ExecutorStatus {
        slot: 0,
        generation: 1,
        host: "worker-1".to_owned(),
        pid: 4_711,
        container: Some("container_1_42_01_000002".to_owned()),
        log_url: None,
        partitions: vec!["tweets_poc/0".to_owned()],
        http: Some("worker-1:9100".to_owned()),
    };
    let status = Status {
        name: "TweetsApp".to_owned(),
        app: "application_1_42".to_owned(),
        app_dir: Some("hdfs://nn/staging/apps/application_1_42".to_owned()),
        http: "header-1:4040".to_owned(),
        state: JobState::Running,
        since_ms: 1_795_365_000_000,
        attempt: 1,
        version: "0.1.0".to_owned(),
        window: Some(WindowStatus {
            end_ms: 1_795_365_042_000,
            delay_ms: 210,
            total: 48_112,
            distinct: 5,
            complete: true,
        }),
        lag: Lag { records: 312, seconds: 0.4, worst: Some("tweets_poc/3".to_owned()) },
        unread: Vec::new(),
        checkpoint: Some(CheckpointStatus { age_ms: 900, bytes: 41_000, queued: 1 }),
        snapshot: Some(SnapshotStatus { through_ms: 1_795_365_000_000 }),
        executors: Executors { running: 1, wanted: 2, hosts: 1, list: vec![executor] },
        attention: vec!["1 executor is missing".to_owned()],
    };
    let processes = vec![
        Process { role: Role::Driver, address: "header-1:4040".to_owned() },
        Process { role: Role::Executor { slot: 0 }, address: "worker-1:9100".to_owned() },
    ];
    Snapshot { status, window_json: Some(r#"{"app":"TweetsApp"}"#.into()), processes }
}

pub(super) async fn start() -> Served {
    let (view, orders) = DriverView::new(snapshot(), 300);
    let health = {
        let view = Arc::clone(&view);
        move || match view.snapshot().status.state {
            JobState::Failed => Err("the job has failed".to_owned()),
            _ => Ok(()),
        }
    };
    let routes = process_routes(|| "spindle_attempt 1\n".to_owned(), health)
        .merge(driver_routes(Arc::clone(&view), Token::of(&TOKEN)));
    let listener = bind(IpAddr::V4(Ipv4Addr::LOCALHOST), Ports::Any).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = ended.await;
    };
    Served { addr, view, orders, end, server: tokio::spawn(serve(listener, routes, shutdown)) }
}

impl Served {
    /// Head and body of the answer to one request, sent as it stands.
    async fn ask(&self, request: &str, headers: &str, body: &str) -> (String, String) {
        let mut client = TcpStream::connect(self.addr).await.unwrap();
        let length = body.len();
        let text = format!(
            "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        client.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    async fn get(&self, path: &str) -> (String, String) {
        self.ask(&format!("GET {path}"), "", "").await
    }

    async fn put(&self, path: &str, headers: &str, body: &Value) -> (String, Value) {
        let (head, body) = self.ask(&format!("PUT {path}"), headers, &body.to_string()).await;
        (head, serde_json::from_str(&body).unwrap_or(Value::Null))
    }
}

fn code(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}

#[tokio::test]
async fn every_process_shows_metrics_and_health() {
    let served = start().await;
    let (head, body) = served.get("/metrics").await;
    assert_eq!((code(&head), &*body), ("200", "spindle_attempt 1\n"));
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    assert!(head.contains("cache-control: no-store"), "{head}");
    let (head, body) = served.get("/healthz").await;
    assert_eq!((code(&head), &*body), ("200", "ok\n"));
    let mut failed = snapshot();
    failed.status.state = JobState::Failed;
    served.view.publish(failed);
    let (head, body) = served.get("/healthz").await;
    assert_eq!((code(&head), &*body), ("503", "the job has failed\n"));
    assert_eq!(code(&served.get("/elsewhere").await.0), "404");
    assert_eq!(served.ask("HEAD /healthz", "", "").await.1, "");
}

#[tokio::test]
async fn prometheus_finds_every_process() {
    let served = start().await;
    let (head, body) = served.get("/sd").await;
    assert!(head.contains("content-type: application/json"), "{head}");
    assert_eq!(
        body,
        r#"[{"targets":["header-1:4040"],"labels":{"app":"TweetsApp","role":"driver"}},"#.to_owned()
            + r#"{"targets":["worker-1:9100"],"labels":{"app":"TweetsApp","role":"executor","slot":"0"}}]"#
    );
}

#[tokio::test]
async fn status_and_window_are_the_newest_published() {
    let served = start().await;
    let (head, body) = served.get("/api/status").await;
    assert_eq!(code(&head), "200");
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({
            "checkpoint": {"age_ms": 900, "bytes": 41_000, "queued": 1},
            "snapshot": {"through_ms": 1_795_365_000_000_u64},
            "name": "TweetsApp", "app": "application_1_42", "state": "RUNNING", "since_ms": 1_795_365_000_000_u64,
            "attempt": 1, "version": "0.1.0", "http": "header-1:4040",
            "app_dir": "hdfs://nn/staging/apps/application_1_42",
            "window": {"end_ms": 1_795_365_042_000_u64, "delay_ms": 210, "total": 48_112, "distinct": 5,
                       "complete": true},
            "lag": {"records": 312, "seconds": 0.4, "worst": "tweets_poc/3"}, "unread": [],
            "executors": {"running": 1, "wanted": 2, "hosts": 1, "list": [
                {"slot": 0, "generation": 1, "host": "worker-1", "pid": 4_711, "partitions": ["tweets_poc/0"],
                 "http": "worker-1:9100", "container": "container_1_42_01_000002", "log_url": null}]},
            "attention": ["1 executor is missing"],
        })
    );
    let (head, body) = served.get("/api/window").await;
    assert!(head.contains("content-type: application/json"), "{head}");
    assert_eq!(body, r#"{"app":"TweetsApp"}"#);
    served.view.publish(Snapshot { window_json: None, ..snapshot() });
    let (head, body) = served.get("/api/window").await;
    assert_eq!((code(&head), &*body), ("404", r#"{"error":"there is no window yet"}"#));
}

#[tokio::test]
async fn an_order_without_the_token_never_reaches_the_driver() {
    let mut served = start().await;
    let wrong = "ab".repeat(31);
    for (path, order) in [("/api/stop", json!({})), ("/api/scale", json!({"executors": 3}))] {
        let (head, answer) = served.put(path, "", &order).await;
        assert_eq!(code(&head), "403");
        assert!(answer["error"].as_str().unwrap().starts_with("this needs the job's token"), "{answer}");
        let mut with_wrong = order.clone();
        with_wrong["token"] = json!(wrong);
        assert_eq!(code(&served.put(path, "", &with_wrong).await.0), "403");
        let header = format!("X-Spindle-Token: {wrong}\r\n");
        assert_eq!(code(&served.put(path, &header, &order).await.0), "403");
        let (head, _) = served.ask(&format!("POST {path}"), "", "{}").await;
        assert_eq!(code(&head), "405");
        assert_eq!(code(&served.get(path).await.0), "405", "a link alone gives no order");
    }
    assert!(served.orders.try_recv().is_err());
}

/// Answers the next orders so, and gives back what they were.
fn driver(mut orders: mpsc::Receiver<Action>, answers: Vec<Result<(), String>>) -> JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut seen = Vec::new();
        for answer in answers {
            let (order, reply) = match orders.recv().await.unwrap() {
                Action::Stop { deadline, reply } => (format!("stop {deadline:?}"), reply),
                Action::Scale { executors, reply } => (format!("scale {executors}"), reply),
            };
            seen.push(order);
            reply.send(answer).unwrap();
        }
        seen
    })
}

#[tokio::test]
async fn orders_with_the_token_are_answered_by_the_driver() {
    let mut served = start().await;
    let orders = std::mem::replace(&mut served.orders, mpsc::channel(1).1);
    let driver = driver(orders, vec![Ok(()), Ok(()), Err("2 is all that the queue allows".to_owned())]);
    let token = "ab".repeat(32);
    let header = format!("X-Spindle-Token: {token}\r\n");
    let (head, answer) = served.put("/api/stop", "", &json!({"deadline_ms": 1_500, "token": token})).await;
    assert_eq!((code(&head), answer), ("202", json!({"accepted": true})));
    let (head, _) = served.put("/api/stop", &header, &json!({})).await;
    assert_eq!(code(&head), "202");
    let (head, answer) = served.put("/api/scale", &header, &json!({"executors": 3})).await;
    assert_eq!((code(&head), answer), ("409", json!({"error": "2 is all that the queue allows"})));
    assert_eq!(driver.await.unwrap(), ["stop Some(1.5s)", "stop None", "scale 3"]);
    let (head, answer) = served.put("/api/stop", &header, &json!({})).await;
    assert_eq!((code(&head), answer), ("503", json!({"error": "the driver is ending"})));
}

#[tokio::test]
async fn what_is_no_order_is_refused_in_words() {
    let served = start().await;
    let header = format!("X-Spindle-Token: {}\r\n", "ab".repeat(32));
    for (path, body) in [
        ("/api/stop", "deadline_ms=5"),
        ("/api/stop", ""),
        ("/api/stop", r#"{"deadline": 5}"#),
        ("/api/stop", r#"{"deadline_ms": -5}"#),
        ("/api/scale", "{}"),
        ("/api/scale", r#"{"executors": 0}"#),
        ("/api/scale", r#"{"executors": 4294967296}"#),
    ] {
        let (head, answer) = served.ask(&format!("PUT {path}"), &header, body).await;
        assert_eq!(code(&head), "400", "{path} {body}");
        assert!(answer.starts_with(r#"{"error":""#), "{answer}");
    }
    let long = format!("{{\"token\":\"{}\"}}", "a".repeat(8 << 10));
    assert_eq!(code(&served.ask("PUT /api/stop", &header, &long).await.0), "413");
}

#[tokio::test]
async fn more_orders_than_the_queue_holds_are_refused_at_once() {
    let served = start().await;
    let mut waiting = Vec::new();
    while waiting.len() < 16 {
        let (reply, answer) = oneshot::channel();
        served.view.order(Action::Stop { deadline: None, reply }).unwrap();
        waiting.push(answer);
    }
    let header = format!("X-Spindle-Token: {}\r\n", "ab".repeat(32));
    let (head, answer) = served.put("/api/stop", &header, &json!({})).await;
    assert_eq!(code(&head), "503");
    assert_eq!(answer["error"], "the driver has too many orders waiting; try again");
}

#[tokio::test]
async fn serving_ends_when_told_even_with_clients_connected() {
    let served = start().await;
    let mut idle = TcpStream::connect(served.addr).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(idle.read(&mut [0; 512]).await.unwrap() > 0);
    served.end.send(()).unwrap();
    served.server.await.unwrap().unwrap();
    assert_eq!(idle.read(&mut [0; 512]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(served.addr).await.is_err());
}

#[tokio::test]
async fn a_follower_gets_the_windows_it_has_not_seen() {
    let served = start().await;
    let windows = async |query: &str| -> Value {
        let (head, body) = served.get(&format!("/api/windows?{query}")).await;
        assert_eq!(code(&head), "200", "{body}");
        serde_json::from_str(&body).unwrap()
    };
    assert_eq!(
        windows("after=0").await,
        json!({"app": "application_1_42", "attempt": 1, "windows": [], "missed": false})
    );
    assert_eq!(served.view.followed(), None);
    served.view.printed(PrintedText { end_ms: 1_000, text: "(1,a)\n".into() });
    let one = json!({"end_ms": 1_000, "text": "(1,a)\n"});
    assert_eq!(windows("after=0&follow=true").await["windows"], json!([one]));
    assert!(served.view.followed().is_some());
    assert_eq!(windows("after=1000").await["windows"], json!([]));
    let (head, _) = served.get("/api/windows?since=0").await;
    assert_eq!(code(&head), "400");
}
