/** Style sheet of a report, for light and dark pages. */
export const STYLE = `
:root { color-scheme: light dark; --paper: #fff; --panel: #f3f4f6; --ink: #16181d; --faint: #50555f; --line: #c4c9d2;
  --accent: #0b5394; --right: 22 130 75; --wrong: 190 50 30;
  --c0: #0b5394; --c1: #c2410c; --c2: #15803d; --c3: #a21caf; --c4: #a16207; --c5: #0e7490; --c6: #be123c; --c7: #57534e; }
@media (prefers-color-scheme: dark) { :root { --paper: #15171c; --panel: #1f232b; --ink: #eceef2; --faint: #b3b9c5;
  --line: #464d59; --accent: #8cc4f5; --right: 74 200 130; --wrong: 250 120 95;
  --c0: #8cc4f5; --c1: #fdba74; --c2: #86efac; --c3: #f0abfc; --c4: #fde047; --c5: #67e8f9; --c6: #fda4af; --c7: #d6d3d1; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.5rem; margin: 0 0 0.8rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 0.4rem; padding-bottom: 0.2rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.2rem 0 0.3rem; }
small, .note { color: var(--faint); } small { font-size: 0.85em; } .note { margin: 0.2rem 0 0.8rem; }
.facts { display: flex; flex-wrap: wrap; gap: 0.3rem 1.6rem; margin: 0; }
.facts div { min-width: 0; } .facts dt { color: var(--faint); font-size: 0.8em; } .facts dd { margin: 0; overflow-wrap: anywhere; }
.warning { padding: 0.5rem 0.8rem; border-left: 4px solid rgb(var(--wrong)); background: var(--panel); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: 0.22rem 0.7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
thead th { color: var(--faint); font-weight: 500; vertical-align: bottom; } th[scope=row] { text-align: left; font-weight: 500; max-width: 22rem; overflow: hidden; text-overflow: ellipsis; }
td:has(small) { text-align: left; white-space: normal; } td { font-variant-numeric: tabular-nums; }
.confusion td { padding: 0; }
.cell { display: block; padding: 0.22rem 0.7rem; } .zero { color: var(--faint); opacity: 0.55; }
.right1 { background: rgb(var(--right) / 12%); } .right2 { background: rgb(var(--right) / 24%); } .right3 { background: rgb(var(--right) / 36%); } .right4 { background: rgb(var(--right) / 48%); }
.wrong1 { background: rgb(var(--wrong) / 12%); } .wrong2 { background: rgb(var(--wrong) / 24%); } .wrong3 { background: rgb(var(--wrong) / 36%); } .wrong4 { background: rgb(var(--wrong) / 48%); }
.bar { width: 10rem; height: 0.9rem; vertical-align: middle; } .track { fill: var(--panel); } .value { fill: var(--accent); opacity: 0.55; } .whisker { stroke: var(--ink); stroke-width: 1.4; fill: none; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; } .chart { flex: 1 1 26rem; max-width: 37rem; margin: 0; padding: 0.6rem; background: var(--panel); border-radius: 8px; }
.chart svg { display: block; width: 100%; height: auto; } .chart text { fill: var(--faint); font-size: 12px; } .grid { stroke: var(--line); stroke-width: 0.7; }
.line { fill: none; stroke-width: 1.6; } .line.main { stroke-width: 2.6; }
${Array.from({ length: 8 }, (_, i) => `.line.c${i} { stroke: var(--c${i}); } .swatch.c${i} { background: var(--c${i}); }`).join('\n')}
.legend { display: flex; flex-wrap: wrap; gap: 0.1rem 1rem; margin: 0.2rem 0 0; padding: 0; list-style: none; color: var(--faint); font-size: 0.87em; }
.swatch { display: inline-block; width: 0.9em; height: 0.25em; margin-right: 0.4em; vertical-align: middle; }
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(34rem, 100%), 1fr)); gap: 1rem; }
.cases figure { margin: 0; padding: 0.6rem; background: var(--panel); border-radius: 8px; min-width: 0; } .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0.5rem; }
.cases img { display: block; width: 100%; height: auto; } .cases small { display: block; overflow-wrap: anywhere; } figcaption { margin-top: 0.4rem; overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: 0.8rem; background: var(--panel); border-radius: 8px; font-size: 0.85em; }
summary { cursor: pointer; margin: 0.4rem 0; }
@media print { details > * { display: block; } }
`;
