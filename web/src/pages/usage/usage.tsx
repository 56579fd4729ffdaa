// Usage: tokens, requests and training by day or hour, of this account.
import { useState } from "preact/hooks";
import { query } from "../../api/client";
import { useLive } from "../../api/live";
import type { components } from "../../api/schema";
import { count, duration, shortCount, shortModel } from "../../kit/format";
import { Empty, Loaded, PageHead } from "../../kit/show";
import { Table } from "../../kit/table";

type Answers = components["schemas"]["CompletionsUsagePage"];
type Jobs = components["schemas"]["FineTuningUsagePage"];

const DAY = 86_400;

const spans = [
    { id: "day", title: "Last 24 hours", seconds: DAY, width: "1h", limit: 25 },
    { id: "week", title: "Last 7 days", seconds: 7 * DAY, width: "1d", limit: 8 },
    { id: "month", title: "Last 30 days", seconds: 30 * DAY, width: "1d", limit: 31 },
] as const;

type Span = (typeof spans)[number];

function label(span: Span, start: number): string {
    const time = new Date(start * 1000);
    return span.width === "1h" ? time.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" }) : time.toLocaleDateString(undefined, { month: "short", day: "numeric", timeZone: "UTC" });
}

interface Bar {
    title: string;
    values: number[];
}

/** Stacked bars; the same as a table for those who cannot see them. */
function Bars({ title, names, bars }: { title: string; names: string[]; bars: Bar[] }) {
    const sum = (bar: Bar) => bar.values.reduce((all, value) => all + value, 0);
    const most = Math.max(...bars.map(sum), 1);
    const width = 1000 / bars.length;
    const shown = Math.ceil(bars.length / 8);
    return (
        <section class="card">
            <div class="progress-head">
                <h2>{title}</h2>
                <ul class="legend" aria-hidden="true">
                    {names.map((name, index) => (
                        <li key={name}>
                            <span class="swatch" style={{ background: index ? "var(--busy)" : "var(--accent-fill)" }} /> {name}
                        </li>
                    ))}
                </ul>
            </div>
            <figure class="usage-chart">
                <svg viewBox="0 0 1000 200" preserveAspectRatio="none" aria-hidden="true">
                    {bars.map((bar, index) => {
                        let top = 200;
                        return bar.values.map((value, at) => {
                            const height = (190 * value) / most;
                            top -= height;
                            return (
                                <rect key={`${index}-${at}`} class={at ? "second" : ""} x={index * width + width * 0.12} width={width * 0.76} y={top} height={height}>
                                    <title>{`${bar.title}: ${count(value)} ${names[at]}`}</title>
                                </rect>
                            );
                        });
                    })}
                </svg>
                <div class="usage-axis" aria-hidden="true">
                    {bars.map((bar, index) => (
                        <span key={index}>{index % shown === 0 ? bar.title : ""}</span>
                    ))}
                </div>
                <div class="unseen">
                    <table>
                        <caption>{title}</caption>
                        <thead>
                            <tr>
                                <th scope="col">Time</th>
                                {names.map((name) => (
                                    <th key={name} scope="col">
                                        {name}
                                    </th>
                                ))}
                            </tr>
                        </thead>
                        <tbody>
                            {bars.map((bar, index) => (
                                <tr key={index}>
                                    <th scope="row">{bar.title}</th>
                                    {bar.values.map((value, at) => (
                                        <td key={at}>{count(value)}</td>
                                    ))}
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            </figure>
        </section>
    );
}

function Totals({ values }: { values: [string, string][] }) {
    return (
        <div class="totals">
            {values.map(([value, name]) => (
                <div key={name} class="total">
                    <strong>{value}</strong>
                    <span>{name}</span>
                </div>
            ))}
        </div>
    );
}

interface ModelRow {
    id: string;
    requests: number;
    input: number;
    output: number;
}

function byModel(answers: Answers): ModelRow[] {
    const rows = new Map<string, ModelRow>();
    for (const { results } of answers.data)
        for (const result of results) {
            const id = result.model ?? "";
            const row = rows.get(id) ?? { id, requests: 0, input: 0, output: 0 };
            row.requests += result.num_model_requests;
            row.input += result.input_tokens;
            row.output += result.output_tokens;
            rows.set(id, row);
        }
    return [...rows.values()].sort((a, b) => b.output - a.output);
}

function Report({ span, answers, jobs }: { span: Span; answers: Answers; jobs: Jobs }) {
    const rows = byModel(answers);
    const total = (of: (row: ModelRow) => number) => rows.reduce((all, row) => all + of(row), 0);
    const trained = jobs.data.flatMap(({ results }) => results);
    const all = (of: (result: (typeof trained)[number]) => number) => trained.reduce((sum, result) => sum + of(result), 0);
    if (!rows.length && !trained.length)
        return (
            <Empty icon="usage" title="Nothing was used in this time">
                Chats, batches and fine-tuning jobs are counted here as soon as they end.
            </Empty>
        );
    return (
        <>
            <Totals
                values={[
                    [shortCount(total((row) => row.requests)), "answers"],
                    [shortCount(total((row) => row.input)), "tokens read"],
                    [shortCount(total((row) => row.output)), "tokens written"],
                    [shortCount(all((result) => result.trained_tokens)), "tokens trained on"],
                    [count(all((result) => result.num_jobs)), "jobs ended"],
                    [duration(all((result) => result.seconds)), "from creation to end"],
                ]}
            />
            <Bars
                title="Tokens of answers"
                names={["read", "written"]}
                bars={answers.data.map((bucket) => ({
                    title: label(span, bucket.start_time),
                    values: [bucket.results.reduce((sum, result) => sum + result.input_tokens, 0), bucket.results.reduce((sum, result) => sum + result.output_tokens, 0)],
                }))}
            />
            <Bars title="Tokens trained on" names={["trained on"]} bars={jobs.data.map((bucket) => ({ title: label(span, bucket.start_time), values: [bucket.results.reduce((sum, result) => sum + result.trained_tokens, 0)] }))} />
            {rows.length > 0 && (
                <Table
                    label="Usage by model"
                    rows={rows}
                    columns={[
                        { title: "Model", wide: true, cell: (row) => shortModel(row.id) },
                        { title: "Answers", numeric: true, cell: (row) => count(row.requests) },
                        { title: "Tokens read", numeric: true, cell: (row) => count(row.input) },
                        { title: "Tokens written", numeric: true, cell: (row) => count(row.output) },
                    ]}
                />
            )}
        </>
    );
}

export function Usage() {
    const [span, setSpan] = useState<Span>(spans[1]);
    const [now] = useState(() => Math.floor(Date.now() / 60_000) * 60);
    const asked = { start_time: now - span.seconds, bucket_width: span.width, limit: span.limit, group_by: "model" };
    const answers = useLive<Answers>(`/v1/organization/usage/completions${query(asked)}`, () => 10_000);
    const jobs = useLive<Jobs>(`/v1/organization/usage/fine_tuning${query(asked)}`, () => 10_000);
    return (
        <>
            <PageHead title="Usage" about="What this account's chats, batches and jobs used. Days are those of UTC.">
                <div class="segments" role="group" aria-label="Time">
                    {spans.map((one) => (
                        <button key={one.id} type="button" class="code-language" aria-pressed={one.id === span.id} onClick={() => setSpan(one)}>
                            {one.title}
                        </button>
                    ))}
                </div>
            </PageHead>
            <Loaded live={answers} lines={8}>
                {(page) => (jobs.data ? <Report span={span} answers={page} jobs={jobs.data} /> : null)}
            </Loaded>
        </>
    );
}
