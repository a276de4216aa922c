//! Charts as shapes with coordinates; the template only draws them.

use crate::cli::units;

/// The size of the drawing, in its own units.
pub(super) const WIDTH: f64 = 720.0;
pub(super) const HEIGHT: f64 = 210.0;
/// The margins for the labels: left, below, above.
const LEFT: f64 = 74.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 12.0;
/// The width of a label.
const LABEL: f64 = 44.0;

/// A chart.
pub(super) struct Chart {
    pub(super) title: String,
    /// The description for screen readers.
    pub(super) description: String,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) base: f64,
    pub(super) lines: Vec<Line>,
    pub(super) bars: Vec<Bar>,
    /// The labels below.
    pub(super) labels: Vec<Label>,
    /// A curve, as the points of a polygon.
    pub(super) area: String,
    /// Its upper edge.
    pub(super) edge: String,
    /// The second colour.
    pub(super) is_second: bool,
}

/// A line of the grid.
pub(super) struct Line {
    pub(super) y: f64,
    pub(super) text: String,
}

/// A bar.
pub(super) struct Bar {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) title: String,
}

/// A label below.
pub(super) struct Label {
    pub(super) x: f64,
    pub(super) text: String,
}

/// How numbers are formatted.
pub(super) type Unit = fn(u64) -> String;

impl Chart {
    fn empty(title: String, description: String, largest: u64, unit: Unit) -> (Self, f64) {
        let top = ceiling(largest, unit(1024).contains("KiB"));
        let base = HEIGHT - BOTTOM;
        let line = |part: u64| Line {
            y: round(base - (base - TOP) * part as f64 / 2.0),
            text: unit((top as f64 * part as f64 / 2.0).round() as u64).replace(".0 ", " "),
        };
        let chart = Self {
            title,
            description,
            width: WIDTH,
            height: HEIGHT,
            left: LEFT,
            base,
            lines: (0..=2).map(line).collect(),
            bars: Vec::new(),
            labels: Vec::new(),
            area: String::new(),
            edge: String::new(),
            is_second: false,
        };
        (chart, (base - TOP) / top as f64)
    }

    /// Returns a chart with a bar for each label.
    pub(super) fn bars(title: &str, values: &[(String, u64)], unit: Unit) -> Self {
        let largest = values.iter().map(|(_, value)| *value).max().unwrap_or(0);
        let most = values.iter().find(|(_, value)| *value == largest);
        let description = most.map_or_else(String::new, |(name, value)| {
            let ends = [values.first(), values.last()].map(|one| one.map_or("", |(name, _)| name));
            format!(
                "{title} from {} to {}; most in {name}, {}",
                ends[0],
                ends[1],
                unit(*value)
            )
        });
        let (mut chart, scale) = Self::empty(title.to_owned(), description, largest, unit);
        let slot = (WIDTH - LEFT) / values.len().max(1) as f64;
        let width = (slot * 0.72).min(48.0);
        let every = (LABEL / slot).ceil().max(1.0) as usize;
        for (at, (name, value)) in values.iter().enumerate() {
            let middle = LEFT + slot * (at as f64 + 0.5);
            // Any amount is visible, however small.
            let height = if *value == 0 {
                0.0
            } else {
                (*value as f64 * scale).max(1.5)
            };
            chart.bars.push(Bar {
                x: round(middle - width / 2.0),
                y: round(chart.base - height),
                width: round(width),
                height: round(height),
                title: format!("{name}: {}", unit(*value)),
            });
            if (values.len() - 1 - at).is_multiple_of(every) {
                chart.labels.push(Label {
                    x: round(middle),
                    text: name.clone(),
                });
            }
        }
        chart
    }

    /// Returns a curve over time: the throughput in steps of so many seconds.
    pub(super) fn curve(title: &str, seconds: f64, steps: &[u64], unit: Unit) -> Self {
        let rate = |value: u64| (value as f64 / seconds) as u64;
        let largest = steps.iter().copied().map(rate).max().unwrap_or(0);
        let all: u64 = steps.iter().sum();
        let length = seconds * steps.len() as f64;
        let description = format!(
            "{title} over {}: {} per second on average, {} at most",
            units::seconds(length),
            unit((all as f64 / length) as u64),
            unit(largest)
        );
        let (mut chart, scale) = Self::empty(title.to_owned(), description, largest, unit);
        let slot = (WIDTH - LEFT) / steps.len().max(1) as f64;
        let mut edge = Vec::new();
        for (at, value) in steps.iter().enumerate() {
            let y = round(chart.base - rate(*value) as f64 * scale);
            let (from, to) = (
                round(LEFT + slot * at as f64),
                round(LEFT + slot * (at as f64 + 1.0)),
            );
            edge.push(format!("{from},{y} {to},{y}"));
        }
        chart.edge = edge.join(" ");
        chart.area = format!(
            "{LEFT},{base} {} {WIDTH},{base}",
            chart.edge,
            base = chart.base
        );
        for part in 0..=4u32 {
            let x = round((LEFT + (WIDTH - LEFT) * f64::from(part) / 4.0).min(WIDTH - 26.0));
            chart.labels.push(Label {
                x,
                text: units::seconds(length * f64::from(part) / 4.0),
            });
        }
        chart
    }
}

/// Returns a round number for the top of the scale: twice 1, 2, 5, … times a power of ten, or of
/// 1024 for bytes.
fn ceiling(largest: u64, is_bytes: bool) -> u64 {
    let mut unit = 1u64;
    while is_bytes && largest / unit >= 1024 {
        unit = unit.saturating_mul(1024);
    }
    let mut step = unit;
    loop {
        for factor in [2, 4, 6, 8, 10] {
            let top = step.saturating_mul(factor);
            if top >= largest {
                return top;
            }
        }
        step = step.saturating_mul(10);
    }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_reads_well() {
        let table = [
            (0, 2),
            (1, 2),
            (3, 4),
            (7, 8),
            (11, 20),
            (312, 400),
            (401, 600),
            (u64::MAX, u64::MAX),
        ];
        for (largest, top) in table {
            assert_eq!(ceiling(largest, false), top, "{largest}");
        }
        assert_eq!(ceiling(3 << 20, true), 4 << 20);
        assert_eq!(ceiling(700 << 10, true), 800 << 10);
    }

    #[test]
    fn bars_stand_on_the_base_and_within_the_plane() {
        let values: Vec<(String, u64)> = (0..60).map(|n| (format!("{}", 1970 + n), n)).collect();
        let chart = Chart::bars("Messages", &values, units::count);
        assert_eq!(chart.bars.len(), 60);
        for bar in &chart.bars {
            assert!(
                (bar.y + bar.height - chart.base).abs() < 0.11 && bar.y >= TOP,
                "{}",
                bar.title
            );
            assert!(bar.x >= LEFT && bar.x + bar.width <= WIDTH);
        }
        assert!(chart.labels.len() < 20 && chart.labels.last().unwrap().text == "2029");
        assert!(
            chart.description.contains("most in 2029, 59"),
            "{}",
            chart.description
        );
        assert!(Chart::bars("Messages", &[], units::count).bars.is_empty());
    }

    #[test]
    fn a_curve_has_all_its_steps() {
        let chart = Chart::curve("Bytes", 0.5, &[1024, 0, 2048], units::bytes);
        assert_eq!(chart.edge.split(' ').count(), 6);
        assert!(
            chart
                .description
                .contains("2.0 KiB per second on average, 4.0 KiB at most"),
            "{}",
            chart.description
        );
    }
}
