//! Wakes the driver's loop when a slide ends, to the microsecond: the runtime's own timers round up to whole
//! milliseconds, which every window would be late by.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// One timer of the kernel's (timerfd_create(2)).
#[derive(Debug)]
pub(super) struct Alarm {
    timer: AsyncFd<OwnedFd>,
}

impl Alarm {
    /// An alarm that is not set; must be made within a runtime.
    #[expect(deprecated, reason = "sound for a descriptor that is owned; what replaces it needs unsafe code")]
    pub(super) fn new() -> io::Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self { timer: AsyncFd::new(timer)? })
    }

    /// Will ring after `left`, and not when it was set for before.
    pub(super) fn set(&self, left: Duration) -> io::Result<()> {
        // All zero would unset it.
        let left = left.max(Duration::from_nanos(1));
        let once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let timer = Itimerspec { it_interval: once, it_value: value };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &timer)?;
        Ok(())
    }

    /// Waits for the ring. May be given up and called again.
    pub(super) async fn ring(&self) -> io::Result<()> {
        loop {
            let mut ready = self.timer.readable().await?;
            // Not ready after all when it was set anew behind an earlier ring.
            if let Ok(rung) = ready.try_io(|timer| Ok(rustix::io::read(timer, &mut [0_u8; 8])?)) {
                return rung.map(drop);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_alarm_set_anew_rings_once_and_not_before() {
        let alarm = Alarm::new().unwrap();
        let clock = crate::clock::Clock::start();
        alarm.set(Duration::ZERO).unwrap();
        alarm.ring().await.unwrap();
        alarm.set(Duration::ZERO).unwrap();
        alarm.set(Duration::from_micros(1_500)).unwrap();
        alarm.ring().await.unwrap();
        assert!(clock.monotonic() >= Duration::from_micros(1_500));
    }
}
