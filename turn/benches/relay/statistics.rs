//! Medians and percentiles.

/// Median, least and greatest.
pub struct Spread {
    pub median: f64,
    least: f64,
    greatest: f64,
}

impl Spread {
    /// `None` without any value.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, greatest) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let is_even = values.len().is_multiple_of(2);
        let median = if is_even { f64::midpoint(values[middle - 1], values[middle]) } else { values[middle] };
        Some(Spread { median, least, greatest })
    }

    /// Median (least..greatest), with that many digits after the point.
    pub fn text(&self, digits: usize) -> String {
        let Spread { median, least, greatest } = self;
        format!("{median:.digits$} ({least:.digits$}..{greatest:.digits$})")
    }
}

/// Of sorted values; 0 without any.
pub fn percentile(sorted: &[u64], percent: usize) -> u64 {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}
