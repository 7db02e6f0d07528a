//! Follows a job from elsewhere: prints its windows as they come, through restarts of its driver, until it is over.
//!
//! Where the driver is, the ResourceManager says; it is asked directly where this host reaches it, else through YARN's
//! web proxy. A window is asked for by the end of the one before, so that none is shown twice.

use std::io::{self, Write as _};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::clock::Clock;
use crate::ids::Millis;
use crate::web::{Printed, client};
use crate::yarn::{Application, ResourceManager, RmError, State};

/// How long a driver may let a request wait for the next window.
const WAIT: Duration = Duration::from_secs(10);
/// How often the ResourceManager is asked while nothing can be read.
const POLL: Duration = Duration::from_millis(200);
/// A ResourceManager that has not answered for so long will not: it may be restarted meanwhile.
const RM_GONE: Duration = Duration::from_secs(120);
/// A driver at a plain address that has not answered for so long is gone.
const DRIVER_GONE: Duration = Duration::from_secs(3);

/// What following brings.
#[derive(Debug)]
pub(super) enum Event {
    /// The application master is registered.
    Running,
    /// A window was printed, for the first time.
    FirstWindow,
    /// The job is over.
    Over(Application),
    /// Nobody knows how it is.
    Lost(String),
    /// Nobody reads the windows any more.
    StdoutClosed,
    /// Somebody wants an end.
    Interrupted,
}

/// Where the job is.
enum Place {
    /// On the cluster.
    Application(ResourceManager, String),
    /// At an address.
    Driver(String),
}

/// Prints a job's windows.
pub(super) struct Follower {
    place: Place,
    /// Whether windows are wanted, or only the end.
    windows: bool,
    after_ms: Millis,
    attempt: u32,
    began: bool,
    /// Where the driver answered last.
    driver: Arc<Mutex<Option<String>>>,
}

impl Follower {
    /// Follows an application, from its first window on.
    pub(super) fn of(rm: ResourceManager, id: String, windows: bool) -> Self {
        Self::at(Place::Application(rm, id), windows, 0)
    }

    /// Follows an application from now on.
    pub(super) fn attached(rm: ResourceManager, id: String, now_ms: Millis) -> Self {
        Self::at(Place::Application(rm, id), true, now_ms)
    }

    /// Follows the driver at `url` from now on.
    pub(super) fn attached_at(url: String, now_ms: Millis) -> Self {
        Self::at(Place::Driver(url), true, now_ms)
    }

    fn at(place: Place, windows: bool, after_ms: Millis) -> Self {
        Self { place, windows, after_ms, attempt: 0, began: false, driver: Arc::default() }
    }

    /// Where the driver answers, for those who have orders for it.
    pub(super) fn driver(&self) -> Arc<Mutex<Option<String>>> {
        Arc::clone(&self.driver)
    }

    /// Follows until the job is over or cannot be followed; the last event says which.
    pub(super) fn run(mut self, tell: &Sender<Event>) {
        let last = match &self.place {
            Place::Application(rm, id) => {
                let (rm, id) = (rm.clone(), id.clone());
                self.follow_application(&rm, &id, tell)
            }
            Place::Driver(url) => {
                let url = url.clone();
                self.follow_driver(&url, tell)
            }
        };
        // Nobody listens when the process is ending.
        let _ = tell.send(last);
    }

    fn follow_application(&mut self, rm: &ResourceManager, id: &str, tell: &Sender<Event>) -> Event {
        let clock = Clock::start();
        let mut answered = Duration::ZERO;
        let mut known = None;
        loop {
            match rm.application(id) {
                Ok(app) => {
                    answered = clock.monotonic();
                    if known.replace(app.state) != Some(app.state) {
                        announce(&app, tell);
                    }
                    if app.is_over() {
                        return Event::Over(app);
                    }
                    for url in app.drivers() {
                        self.read(&url, Some(id), tell);
                    }
                }
                Err(error @ RmError::Unreachable { .. }) if clock.monotonic() - answered < RM_GONE => {
                    tracing::debug!(%error, "asked again");
                }
                Err(error) => return Event::Lost(error.to_string()),
            }
            thread::park_timeout(POLL);
        }
    }

    fn follow_driver(&mut self, url: &str, tell: &Sender<Event>) -> Event {
        let clock = Clock::start();
        let mut answered = Duration::ZERO;
        while clock.monotonic() - answered < DRIVER_GONE {
            if self.read(url, None, tell) {
                answered = clock.monotonic();
            }
            thread::park_timeout(POLL);
        }
        Event::Lost(format!("{url} answers no more"))
    }

    /// Prints windows for as long as the driver at `url` answers, and is that of application `id`; returns whether it
    /// has answered.
    fn read(&mut self, url: &str, id: Option<&str>, tell: &Sender<Event>) -> bool {
        let mut answered = false;
        let wait = if self.windows { WAIT } else { Duration::ZERO };
        while let Ok(printed) = client::get_windows(url, self.after_ms, wait, self.windows) {
            if id.is_some_and(|id| id != printed.app) {
                break;
            }
            answered = true;
            *self.driver.lock().unwrap_or_else(PoisonError::into_inner) = Some(url.to_owned());
            if !self.windows {
                break;
            }
            if let Err(error) = self.print(&printed, tell) {
                tracing::warn!(%error, "stdout is closed");
                self.windows = false;
                let _ = tell.send(Event::StdoutClosed);
            }
        }
        answered
    }

    fn print(&mut self, printed: &Printed, tell: &Sender<Event>) -> io::Result<()> {
        if self.attempt != 0 && self.attempt != printed.attempt {
            tracing::warn!(attempt = printed.attempt, "the driver was restarted; its windows go on");
        } else if printed.missed && self.after_ms > 0 {
            tracing::warn!("windows between are kept no more: this client was away for too long");
        }
        self.attempt = printed.attempt;
        let mut stdout = io::stdout().lock();
        for window in &printed.windows {
            stdout.write_all(window.text.as_bytes())?;
            self.after_ms = window.end_ms;
        }
        stdout.flush()?;
        if !printed.windows.is_empty() && !std::mem::replace(&mut self.began, true) {
            let _ = tell.send(Event::FirstWindow);
        }
        Ok(())
    }
}

fn announce(app: &Application, tell: &Sender<Event>) {
    match app.state {
        State::Running => {
            let _ = tell.send(Event::Running);
        }
        State::Accepted => {
            let why = app.why().map_or(String::new(), |why| format!(": {why}"));
            tracing::info!("{} is ACCEPTED in queue {}{why}", app.id, app.queue);
        }
        state => tracing::info!("{} is {state}", app.id),
    }
}
