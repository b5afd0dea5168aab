//! A group's figures from its tasks' (`lm_eval/api/group.py`): means weighed by samples, pooled standard errors.

/// One task's figure of one metric.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The figure.
    pub value: f64,
    /// Its standard error.
    pub error: Option<f64>,
    /// Samples behind it.
    pub samples: usize,
}

/// The mean of a metric, weighed by samples or not, and its standard error; `None` without members.
pub fn group_scores(members: &[Member], weight_by_size: bool) -> Option<(f64, Option<f64>)> {
    let samples: usize = members.iter().map(|member| member.samples).sum();
    if samples == 0 {
        return None;
    }
    let weight = |member: &Member| if weight_by_size { member.samples as f64 } else { 1.0 };
    let total: f64 = members.iter().map(|member| member.value * weight(member)).sum();
    let weights: f64 = members.iter().map(weight).sum();
    Some((total / weights, pooled(members, samples)))
}

/// `pooled_sample_stderr`.
fn pooled(members: &[Member], samples: usize) -> Option<f64> {
    if samples <= members.len() {
        return None;
    }
    let mut sum = 0.0;
    for member in members {
        let n = member.samples as f64;
        sum += (n - 1.0) * member.error?.powi(2) * n;
    }
    Some((sum / (samples - members.len()) as f64 / samples as f64).sqrt())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn means_are_weighed_by_samples_and_errors_pooled() {
        let members = [
            Member { value: 0.5, error: Some(0.1), samples: 20 },
            Member { value: 0.8, error: Some(0.05), samples: 60 },
        ];
        let (value, error) = group_scores(&members, true).unwrap();
        assert!((value - 0.725).abs() < 1e-12);
        let (plain, same_error) = group_scores(&members, false).unwrap();
        assert!((plain - 0.65).abs() < 1e-12);
        assert_eq!(error, same_error);
        // lm_eval.api.metrics.pooled_sample_stderr([0.1, 0.05], [20, 60])
        assert!((error.unwrap() - POOLED).abs() < 1e-12);
        assert_eq!(group_scores(&[Member { value: 1.0, error: None, samples: 3 }], true).unwrap().1, None);
    }

    const POOLED: f64 = 0.045_024_921_873_819_95;
}
