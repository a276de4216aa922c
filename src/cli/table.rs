//! Tables in plain text, aligned by what a terminal shows: `日` takes two columns, a combining
//! accent none.

use unicode_width::UnicodeWidthStr as _;

/// How a column is aligned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of cells; two spaces between columns, none at a line's end.
pub(crate) struct Table<const N: usize> {
    columns: [Align; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// Makes an empty table.
    pub(crate) fn new(columns: [Align; N]) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row. The cells are already harmless.
    pub(crate) fn row(&mut self, cells: [impl Into<String>; N]) {
        self.rows.push(cells.map(Into::into));
    }

    /// Returns the lines, without line ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        self.rows
            .iter()
            .map(|row| self.line(row, &widths))
            .collect()
    }

    fn line(&self, row: &[String; N], widths: &[usize; N]) -> String {
        let mut line = String::new();
        for ((cell, width), align) in row.iter().zip(widths).zip(self.columns) {
            let space = " ".repeat(width.saturating_sub(cell.width()));
            match align {
                Align::Left => line.extend([cell.as_str(), space.as_str(), "  "]),
                Align::Right => line.extend([space.as_str(), cell.as_str(), "  "]),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_width_and_not_by_bytes() {
        let mut table = Table::new([Align::Left, Align::Right, Align::Left]);
        table.row(["FOLDER", "MESSAGES", "ROLE"]);
        table.row(["INBOX", "3,089", ""]);
        table.row(["日本", "1", "sent"]);
        table.row(["Entwu\u{308}rfe", "20", "drafts"]);
        let expected = [
            "FOLDER    MESSAGES  ROLE",
            "INBOX        3,089",
            "日本             1  sent",
            "Entwu\u{308}rfe        20  drafts",
        ];
        assert_eq!(table.lines(), expected);
    }

    #[test]
    fn an_empty_table_has_no_lines() {
        assert!(Table::new([Align::Left]).lines().is_empty());
    }
}
