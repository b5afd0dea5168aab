//! One metric over pairs of samples.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::interval::{Interval, interval};
use crate::mcnemar::exact_p;
use crate::resampling::standard_error;
use crate::sample::Sample;

/// One metric of two evaluations, over the samples that both have.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MetricComparison {
    /// Pairs of samples.
    pub samples: usize,
    /// Mean over the first's samples; of perplexities the mean log-probability by unit, of lists the mean of all items.
    pub a: f64,
    /// The same of the second.
    pub b: f64,
    /// `b − a`.
    pub difference: f64,
    /// Standard error of the mean of the paired differences, where each sample has one number.
    pub difference_stderr: Option<f64>,
    /// Paired bootstrap interval of the difference.
    pub interval: Option<Interval>,
    /// The first evaluation's own figure, over all its samples.
    pub figure_a: Option<f64>,
    /// The second's.
    pub figure_b: Option<f64>,
    /// Samples that turned right or wrong, where every sample is one or the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flips: Option<Flips>,
    /// Samples whose value changed, where samples are more than right or wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Changed>,
}

/// Samples that turned right or wrong.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Flips {
    /// Right in the first, wrong in the second.
    pub right_to_wrong: Samples,
    /// Wrong in the first, right in the second.
    pub wrong_to_right: Samples,
    /// Right in both.
    pub both_right: usize,
    /// Wrong in both.
    pub both_wrong: usize,
    /// McNemar's exact two-sided p.
    pub mcnemar_p: f64,
}

/// Samples by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Samples {
    /// How many.
    pub count: usize,
    /// Their `doc_id` in the first evaluation; absent for a group, whose tasks have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<usize>>,
}

/// A sample whose value changed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Changed {
    /// Its `doc_id` in the first evaluation.
    pub doc_id: usize,
    /// Its value in the first.
    pub a: f64,
    /// In the second.
    pub b: f64,
}

/// A sum and the number of units in it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    sum: f64,
    units: f64,
}

/// One sample's value of one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    part: Part,
    /// It is one number, not several.
    single: bool,
}

/// One sample's value in both evaluations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    doc_id: usize,
    a: Part,
    b: Part,
    /// Both are one number, not several.
    single: bool,
}

impl Point {
    /// A metric of a pair of samples; `None` when it is not in both.
    pub(crate) fn of(metric: &str, a: &Sample, b: &Sample) -> Option<Self> {
        let (first, second) = (a.metric(metric)?, b.metric(metric)?);
        Some(Self { doc_id: a.doc_id, a: first.part, b: second.part, single: first.single })
    }

    fn truths(&self) -> Option<(bool, bool)> {
        let truth = |part: Part| match part.sum {
            _ if !self.single => None,
            0.0 => Some(false),
            1.0 => Some(true),
            _ => None,
        };
        Some((truth(self.a)?, truth(self.b)?))
    }
}

impl Measured {
    /// The value of a metric; `None` when it is no number, no sum with its weight and no list of truths.
    pub(crate) fn of(metric: &str, value: &Value) -> Option<Self> {
        let (part, single) = part(metric, value)?;
        Some(Self { part, single })
    }
}

fn part(metric: &str, value: &Value) -> Option<(Part, bool)> {
    let weighted = metric.contains("perplexity") || matches!(metric, "bits_per_byte" | "loss");
    match value {
        Value::Bool(truth) => Some((Part { sum: f64::from(u8::from(*truth)), units: 1.0 }, true)),
        Value::Number(number) => Some((Part { sum: number.as_f64()?, units: 1.0 }, true)),
        Value::Array(items) if weighted => match items.as_slice() {
            [sum, units] => Some((Part { sum: sum.as_f64()?, units: units.as_f64()? }, false)),
            _ => None,
        },
        Value::Array(items) => {
            let truths: Vec<bool> = items.iter().map(Value::as_bool).collect::<Option<_>>()?;
            let hits = truths.iter().filter(|truth| **truth).count();
            Some((Part { sum: hits as f64, units: truths.len() as f64 }, false))
        }
        _ => None,
    }
}

impl MetricComparison {
    /// Compares points; `None` without any. With `ids` the samples are named.
    pub(crate) fn of(points: &[Point], figures: (Option<f64>, Option<f64>), ids: bool) -> Option<Self> {
        if points.is_empty() {
            return None;
        }
        let all: Vec<&Point> = points.iter().collect();
        let (a, b) = (mean(&all, |point| point.a), mean(&all, |point| point.b));
        let differences: Option<Vec<f64>> =
            points.iter().map(|point| point.single.then_some(point.b.sum - point.a.sum)).collect();
        let flips = flips(points, ids);
        let changed = if ids && flips.is_none() { changed(points) } else { Vec::new() };
        Some(Self {
            samples: points.len(),
            a,
            b,
            difference: b - a,
            difference_stderr: differences.and_then(|differences| standard_error(&differences)),
            interval: interval(points, |sample| {
                mean(sample, |point| point.b) - mean(sample, |point| point.a)
            }),
            figure_a: figures.0,
            figure_b: figures.1,
            flips,
            changed,
        })
    }
}

fn mean(points: &[&Point], side: impl Fn(&Point) -> Part) -> f64 {
    let (sum, units) = points.iter().fold((0.0, 0.0), |(sum, units), point| {
        let part = side(point);
        (sum + part.sum, units + part.units)
    });
    if units == 0.0 { 0.0 } else { sum / units }
}

fn flips(points: &[Point], ids: bool) -> Option<Flips> {
    let (mut lost, mut won) = (Vec::new(), Vec::new());
    let (mut both_right, mut both_wrong) = (0, 0);
    for point in points {
        match point.truths()? {
            (true, false) => lost.push(point.doc_id),
            (false, true) => won.push(point.doc_id),
            (true, true) => both_right += 1,
            (false, false) => both_wrong += 1,
        }
    }
    let mcnemar_p = exact_p(lost.len(), won.len());
    let samples = |numbers: Vec<usize>| Samples { count: numbers.len(), ids: ids.then_some(numbers) };
    Some(Flips {
        right_to_wrong: samples(lost),
        wrong_to_right: samples(won),
        both_right,
        both_wrong,
        mcnemar_p,
    })
}

fn changed(points: &[Point]) -> Vec<Changed> {
    let differs = points.iter().filter(|point| point.a != point.b);
    differs.map(|point| Changed { doc_id: point.doc_id, a: of(point.a), b: of(point.b) }).collect()
}

fn of(part: Part) -> f64 {
    if part.units == 0.0 { 0.0 } else { part.sum / part.units }
}
