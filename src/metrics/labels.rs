//! The closed lists behind labels: what may stand in `{reason}`, `{class}`, `{phase}`. Feeds `driver`.

/// An enum whose every value is a label value; `ALL` lets each series exist, at 0, from the start.
macro_rules! label_values {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $value,)+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$value,)+];

            /// As it stands in the label, and in logs.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text,)+ }
            }
        }
    };
}

label_values! {
    /// `phase` of `spindle_slide_phase_seconds`: what a slide's time went into, in this order.
    Phase {
        /// From sending the cut to the last delta.
        Gather = "gather",
        /// Adding the last delta to the window and ranking its keys.
        Close = "close",
        /// From the ranking to its last byte on stdout.
        Print = "print",
    }
}

label_values! {
    /// `reason` of `spindle_late_records_total` (event time only).
    LateReason {
        /// Behind the mark of its own partition.
        Late = "late",
        /// Its partition had been declared idle.
        Idle = "idle",
        /// More than an hour ahead of the wall clock.
        Future = "future",
    }
}

label_values! {
    /// `reason` of `spindle_sessions_ended_total`.
    SessionEnd {
        /// The executor said goodbye.
        Closed = "closed",
        /// The connection broke.
        Lost = "lost",
        /// No frame for `executors.timeout`.
        Silent = "silent",
        /// Owed a cut for longer than `executors.straggler`.
        Straggler = "straggler",
        /// It sent what the driver does not accept.
        Refused = "refused",
        /// A newer generation took its slot, or its slot is no longer wanted.
        Fenced = "fenced",
    }
}

label_values! {
    /// `class` of `spindle_executor_exits_total`.
    ExitClass {
        /// Ended as asked.
        Stopped = "stopped",
        /// Ended by itself with an exit code.
        Failed = "failed",
        /// Ended by a signal that nobody here sent.
        Killed = "killed",
        /// Ended for using more memory than its container has.
        Memory = "memory",
        /// Could not be started.
        Launch = "launch",
        /// Its container was preempted.
        Preempted = "preempted",
        /// Its node was lost.
        NodeLost = "node",
        /// Its node's disks failed.
        Disk = "disk",
        /// Ended in a way that this version does not know.
        Other = "other",
    }
}

impl ExitClass {
    /// Whether such an end says something of the executor, and not only of the place where it ran.
    pub fn is_to_blame(self) -> bool {
        !matches!(self, Self::Preempted | Self::NodeLost | Self::Disk)
    }
}
