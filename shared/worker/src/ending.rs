//! What an engine's end means for its task. Pure.

use anneal_contracts::{
    engine::ExitKind,
    event::{Failure, RequeueReason},
};
use anneal_domain::task::TaskState;

/// What was asked of the engine before it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Nothing,
    Pause,
    Stop,
    Cancel,
    /// This worker was told to shut down.
    Shutdown,
}

/// An `error` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) failure: Failure,
    pub(crate) retryable: bool,
}

/// How the engine ended.
#[derive(Clone, Debug)]
pub(crate) struct EngineEnd {
    pub(crate) exit: ExitKind,
    pub(crate) asked: Asked,
    /// It said nothing for too long and was killed.
    pub(crate) hung: bool,
    pub(crate) has_result: bool,
    pub(crate) complaint: Option<Complaint>,
    /// How it ended, for people, with the last it wrote to standard error.
    pub(crate) description: String,
}

/// What becomes of the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Publish and finish in this state: `succeeded`, `stopped`.
    Publish(TaskState),
    /// Finish in this state, publishing nothing: `paused`, `cancelled`.
    Leave(TaskState),
    /// Another try.
    Requeue(RequeueReason, Option<Failure>),
    /// Give up.
    Fail(Failure),
}

/// Attempts that failed before, and how many may.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempts {
    pub(crate) failed: u32,
    pub(crate) most: u32,
}

pub(crate) fn judge(end: &EngineEnd, attempts: Attempts) -> Verdict {
    if end.asked == Asked::Cancel {
        return Verdict::Leave(TaskState::Cancelled);
    }
    match end.exit {
        ExitKind::Done if end.has_result => Verdict::Publish(TaskState::Succeeded),
        ExitKind::BadInput => Verdict::Fail(failure(end)),
        // Asked to stop, it is stopped, in whatever way it ended: what counts are the committed checkpoints.
        _ if end.asked == Asked::Pause => Verdict::Leave(TaskState::Paused),
        _ if end.asked == Asked::Stop => Verdict::Publish(TaskState::Stopped),
        _ if end.asked == Asked::Shutdown => Verdict::Requeue(RequeueReason::WorkerShutdown, None),
        // Somebody else sent it a SIGTERM.
        ExitKind::Stopped => Verdict::Requeue(RequeueReason::WorkerShutdown, None),
        ExitKind::Done | ExitKind::Failed => again_or_fail(failure(end), retryable(end), attempts),
    }
}

/// A failed attempt is tried again while attempts are left.
pub(crate) fn again_or_fail(failure: Failure, retryable: bool, attempts: Attempts) -> Verdict {
    if retryable && attempts.failed.saturating_add(1) < attempts.most {
        Verdict::Requeue(RequeueReason::EngineFailed, Some(failure))
    } else {
        Verdict::Fail(failure)
    }
}

fn retryable(end: &EngineEnd) -> bool {
    end.complaint.as_ref().is_none_or(|complaint| complaint.retryable)
}

fn failure(end: &EngineEnd) -> Failure {
    if let Some(complaint) = &end.complaint {
        return complaint.failure.clone();
    }
    let (code, message) = if end.hung {
        ("engine_hung", format!("the engine made no sign of life and was killed; {}", end.description))
    } else if end.exit == ExitKind::Done {
        ("engine_failed", "the engine ended well without a result".to_owned())
    } else {
        ("engine_failed", end.description.clone())
    };
    Failure { code: code.to_owned(), field: None, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(exit: ExitKind, asked: Asked) -> EngineEnd {
        EngineEnd {
            exit,
            asked,
            hung: false,
            has_result: exit == ExitKind::Done,
            complaint: None,
            description: "it ended with status 1".to_owned(),
        }
    }

    const FRESH: Attempts = Attempts { failed: 0, most: 3 };

    #[test]
    fn every_exit_under_every_request() {
        use Asked::{Cancel, Nothing, Pause, Shutdown, Stop};
        use ExitKind::{BadInput, Done, Failed, Stopped};
        let requeue = |reason| Verdict::Requeue(reason, None);
        for (exit, asked, expected) in [
            (Done, Nothing, Verdict::Publish(TaskState::Succeeded)),
            (Done, Pause, Verdict::Publish(TaskState::Succeeded)),
            (Done, Cancel, Verdict::Leave(TaskState::Cancelled)),
            (Stopped, Pause, Verdict::Leave(TaskState::Paused)),
            (Stopped, Stop, Verdict::Publish(TaskState::Stopped)),
            (Stopped, Shutdown, requeue(RequeueReason::WorkerShutdown)),
            (Stopped, Nothing, requeue(RequeueReason::WorkerShutdown)),
            (Failed, Pause, Verdict::Leave(TaskState::Paused)),
            (Failed, Stop, Verdict::Publish(TaskState::Stopped)),
            (Failed, Cancel, Verdict::Leave(TaskState::Cancelled)),
        ] {
            assert_eq!(judge(&end(exit, asked), FRESH), expected, "{exit:?} {asked:?}");
        }
        for asked in [Nothing, Pause, Stop, Shutdown] {
            assert!(matches!(judge(&end(BadInput, asked), FRESH), Verdict::Fail(_)));
        }
    }

    #[test]
    fn a_failing_engine_is_tried_up_to_the_limit() {
        let failed = end(ExitKind::Failed, Asked::Nothing);
        let tries = |failed_before| judge(&failed, Attempts { failed: failed_before, most: 3 });
        assert!(matches!(tries(0), Verdict::Requeue(RequeueReason::EngineFailed, Some(_))));
        assert!(matches!(tries(1), Verdict::Requeue(..)));
        assert!(matches!(tries(2), Verdict::Fail(_)));
    }

    #[test]
    fn the_engines_own_word_wins() {
        let said =
            Failure { code: "nan_loss".to_owned(), field: None, message: "the loss is NaN".to_owned() };
        let complaint = Some(Complaint { failure: said.clone(), retryable: false });
        let failed = EngineEnd { complaint, ..end(ExitKind::Failed, Asked::Nothing) };
        assert_eq!(judge(&failed, FRESH), Verdict::Fail(said));
    }
}
