//! The blocking client against the real routes, and against things that are no driver.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use tokio::task::spawn_blocking;

use super::super::Action;
use super::super::tests::{TOKEN, snapshot, start};
use super::*;

#[tokio::test]
async fn the_client_reads_what_the_driver_published() {
    let served = start().await;
    for url in [format!("http://{}", served.addr), format!("http://{}/", served.addr)] {
        let status = spawn_blocking(move || get_status(&url)).await.unwrap().unwrap();
        assert_eq!(status, snapshot().status);
    }
}

#[tokio::test]
async fn orders_reach_the_driver_and_its_answers_come_back() {
    let mut served = start().await;
    let url = format!("http://{}", served.addr);
    let client = spawn_blocking(move || {
        let token = Token::of(&TOKEN);
        let stopped = stop(&url, &token, Duration::from_secs(3));
        let scaled = scale(&url, &token, 4);
        (stopped, scaled, stop(&url, &Token::of(&[0; 32]), Duration::from_secs(3)))
    });
    match served.orders.recv().await.unwrap() {
        Action::Stop { deadline, reply } => {
            assert_eq!(deadline, Some(Duration::from_secs(3)));
            reply.send(Ok(())).unwrap();
        }
        other @ Action::Scale { .. } => panic!("{other:?}"),
    }
    match served.orders.recv().await.unwrap() {
        Action::Scale { executors: 4, reply } => reply.send(Err("the job is stopping".to_owned())).unwrap(),
        other => panic!("{other:?}"),
    }
    let (stopped, scaled, intruder) = client.await.unwrap();
    stopped.unwrap();
    let addr = served.addr;
    assert_eq!(
        scaled.unwrap_err().to_string(),
        format!("ask http://{addr}/api/scale: refused (409): the job is stopping")
    );
    let intruder = intruder.unwrap_err().to_string();
    assert_eq!(intruder, format!("ask http://{addr}/api/stop: refused (403): the token is not this job's"));
}

/// Answers one request with these bytes; the thread ends with the request's first line.
fn listen(answer: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let listening = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut head = [0; 4_096];
        let read = client.read(&mut head).unwrap();
        client.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&head[..read]).lines().next().unwrap_or_default().to_owned()
    });
    (url, listening)
}

fn ok(body: &str) -> &'static str {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).leak()
}

fn stranger(answer: &'static str) -> String {
    listen(answer).0
}

#[test]
fn a_wait_fits_into_one_request() {
    let (url, listening) = listen(ok(r#"{"app":"a","attempt":1,"windows":[],"missed":false}"#));
    get_windows(&url, -1, Duration::from_secs(3_600), false).unwrap();
    let asked = listening.join().unwrap();
    assert_eq!(asked, "GET /api/windows?after=-1&wait_ms=10000&follow=false HTTP/1.1");
}

#[test]
fn an_order_that_nobody_accepts_is_not_given() {
    for answer in ["{}", "{\"accepted\": false}"] {
        let error = stop(&stranger(ok(answer)), &Token::of(&TOKEN), Duration::ZERO).unwrap_err();
        assert!(matches!(error, ClientError::NotSpindle { .. }), "{error}");
    }
}

#[test]
fn what_is_no_driver_is_named_so() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    ] {
        let error = get_status(&stranger(answer)).unwrap_err();
        assert!(matches!(error, ClientError::NotSpindle { .. }), "{answer:?}: {error}");
    }
    let error = get_status(&stranger("SSH-2.0-x\r\n")).unwrap_err();
    assert!(matches!(error, ClientError::NoAnswer { .. }), "{error}");
}

#[test]
fn nobody_there_is_said_with_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let error = get_status(&format!("http://{addr}")).unwrap_err().to_string();
    assert!(error.starts_with(&format!("ask http://{addr}/api/status: ")), "{error}");
    assert!(error.contains("Connection refused"), "{error}");
}

#[test]
fn what_is_no_address_is_refused_before_anything_is_sent() {
    for url in ["", "TweetsApp", "https://host:1", "http://", "http://host:1/?x=", "ftp://host", "http://a b"]
    {
        assert!(matches!(get_status(url), Err(ClientError::NotAnAddress { .. })), "{url}");
    }
    assert_eq!(
        get_status("TweetsApp").unwrap_err().to_string(),
        "TweetsApp: not an http:// address of a driver, such as http://127.0.0.1:4040"
    );
}

#[test]
fn only_this_machines_drivers_are_given_its_tokens() {
    assert_eq!(local_port("http://127.0.0.1:4040"), Some(4_040));
    assert_eq!(local_port("http://localhost:4041/"), Some(4_041));
    assert_eq!(local_port("http://[::1]:4042"), Some(4_042));
    for url in ["http://10.0.0.1:4040", "http://localhost.evil.example:4040", "http://127.0.0.1", "TweetsApp"]
    {
        assert_eq!(local_port(url), None, "{url}");
    }
}
