// Package page is a run as one HTML file that needs nothing else: report.html.
//
//	Record ─┬─ results.HTML: text, tables, notes, as fragments ──┐
//	        └─ DataOf: what the charts draw, as JSON ────────────┴─ Page ─ Write: report.html
//
// The tables stand in the file as HTML, and are whole without JavaScript. The charts are drawn by assets/charts.js from the
// JSON beside them: percentiles of the latency, throughput and p99 over connections, the cost of a request by layer, the
// course of a trial, and flame graphs that zoom. The file fetches nothing: its policy forbids it.
//
// Everything a record says may be hostile: in HTML it is escaped, in JSON no "<" is left, and scripts only ever put it into
// the page as text.
//
// Other pages use the same parts: [Assets] are the files, [DataOf] the data, and the scripts hang what they offer on
// window.corelab; see assets/charts.js for the list.
package page
