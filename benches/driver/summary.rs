//! Percentiles by HdrHistogram, in milliseconds, and the curve behind them.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Of these nanoseconds: count, percentiles, and the cumulative distribution as [milliseconds, share] pairs.
pub fn of(nanoseconds: impl Iterator<Item = u64>) -> Value {
    let mut histogram = Histogram::<u64>::new(3).expect("three digits");
    nanoseconds.for_each(|ns| histogram.record(ns).expect("a histogram that grows"));
    if histogram.is_empty() {
        return Value::Null;
    }
    let ms = |ns: u64| ns as f64 / 1e6;
    let at = |quantile| ms(histogram.value_at_quantile(quantile));
    let steps = (0..=1000).map(|n| f64::from(n) / 1000.0);
    let mut curve: Vec<(f64, f64)> = steps.map(|share| (at(share), share)).collect();
    // Of equal values the last says how many there are up to it.
    curve.reverse();
    curve.dedup_by_key(|point| point.0);
    curve.reverse();
    json!({
        "count": histogram.len(),
        "p50_ms": at(0.5),
        "p90_ms": at(0.9),
        "p99_ms": at(0.99),
        "p999_ms": at(0.999),
        "max_ms": ms(histogram.max()),
        "curve": curve,
    })
}
