// What a file holds: its faults by line, or its counts, how long its examples are, and how the model sees them.
import type { CheckedFile } from "../../api/checks";
import { count, percent } from "../../kit/format";
import { Note } from "../../kit/show";

function Faults({ file }: { file: CheckedFile }) {
    return (
        <Note kind="bad" title={file.faults.length === 1 ? "One line is at fault" : `${file.faults.length}${file.more_faults ? " or more" : ""} faults`}>
            <ul class="faults">
                {file.faults.map((fault, index) => (
                    <li key={index}>
                        <strong>{fault.line ? `Line ${fault.line}` : "The file"}:</strong> {fault.message}
                    </li>
                ))}
            </ul>
            {file.more_faults && <p class="hint">The first ten are shown.</p>}
        </Note>
    );
}

/** How many examples are how long: bars, and the same as a table for those who cannot see them. */
function Lengths({ file }: { file: CheckedFile }) {
    const ranges = file.lengths ?? [];
    const first = ranges.findIndex(({ examples }) => examples > 0);
    const shown = ranges.slice(Math.max(0, first));
    const most = Math.max(...shown.map(({ examples }) => examples), 1);
    const width = 100 / Math.max(shown.length, 1);
    if (!shown.length) return null;
    return (
        <figure class="lengths">
            <svg viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true">
                {shown.map((range, index) => (
                    <rect key={range.from} x={index * width + width * 0.08} width={width * 0.84} y={40 - (38 * range.examples) / most} height={(38 * range.examples) / most}>
                        <title>{`${range.from} to ${range.to} tokens: ${count(range.examples)} examples`}</title>
                    </rect>
                ))}
            </svg>
            <figcaption>
                <span>{count(shown[0]!.from)}</span>
                <span>length of the examples, in tokens</span>
                <span>{count(shown.at(-1)!.to)}</span>
            </figcaption>
            <div class="unseen">
                <table>
                    <caption>Lengths of the examples</caption>
                    <tbody>
                        {shown.map((range) => (
                            <tr key={range.from}>
                                <th scope="row">{`${range.from} to ${range.to} tokens`}</th>
                                <td>{range.examples} examples</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </figure>
    );
}

function Shown({ file }: { file: CheckedFile }) {
    return (
        <div class="rendered">
            <p class="hint">
                The first examples as the model sees them. It learns to write what is <mark class="trained">coloured</mark>.
            </p>
            {(file.shown ?? []).map((example) => (
                <details key={example.line} open={example.line === 1}>
                    <summary>
                        Line {count(example.line)}, {count(example.tokens)} tokens
                    </summary>
                    <pre class="body-text" tabIndex={0}>
                        {example.pieces.map((piece, index) =>
                            piece.trained ? (
                                <mark key={index} class="trained">
                                    {piece.text}
                                </mark>
                            ) : (
                                piece.text
                            ),
                        )}
                    </pre>
                </details>
            ))}
        </div>
    );
}

const NO_LENGTHS = Array.from({ length: 5 }, (_, index) => ({ from: index, to: index, examples: 0 }));
const NO_EXAMPLES = Array.from({ length: 3 }, (_, index) => ({ line: index + 1, tokens: 0, pieces: [] }));

/** Where a report will stand: as tall as most are, so that nothing below it moves when it comes. */
export function ComingReport() {
    const file: CheckedFile = { id: "", valid: true, faults: [], more_faults: false, lengths: NO_LENGTHS, shown: NO_EXAMPLES };
    return (
        <div class="coming" aria-hidden="true" inert>
            <FileReport file={file} />
        </div>
    );
}

export function FileReport({ file, brief }: { file: CheckedFile; brief?: boolean }) {
    if (!file.valid) return <Faults file={file} />;
    const totals: [string, string][] = [
        [count(file.examples), "examples"],
        [count(file.tokens), "tokens"],
        [count(file.trained_tokens), "trained on"],
        [count(file.tokens_after_shared_prefixes), `computed an epoch (${percent(file.tokens_after_shared_prefixes ?? 0, file.tokens ?? 0)})`],
        [count(file.longest_example), "in the longest"],
    ];
    return (
        <div class="report" data-testid={file.id ? "report" : undefined}>
            <dl class="report-totals">
                {totals.map(([value, name]) => (
                    <div key={name}>
                        <dd>{value}</dd>
                        <dt>{name}</dt>
                    </div>
                ))}
            </dl>
            {!!file.truncated_examples && <Note kind="warning">{count(file.truncated_examples)} examples are longer than the model's context, and are cut at their end.</Note>}
            {!!file.endless_examples && <Note kind="warning">{count(file.endless_examples)} examples have an answer that the model's template ends with no end-of-turn token: it does not learn from them when to stop.</Note>}
            {!brief && <Lengths file={file} />}
            {!brief && <Shown file={file} />}
        </div>
    );
}
