// An answer: as Markdown, or token by token, each coloured by how likely it was.
import { useState } from "preact/hooks";
import type { TokenScore } from "../../api/chat";
import { count, duration, shortModel } from "../../kit/format";
import { IconButton } from "../../kit/button";
import { Markdown } from "../../kit/markdown";
import { copyText, Note } from "../../kit/show";
import { Button } from "../../kit/button";
import type { Answer } from "./conversation";

const percent = (probability: number) => `${(100 * probability).toFixed(probability > 0.1 ? 0 : 1)} %`;

function visible(text: string): string {
    if (/^ +$/.test(text)) return "␣".repeat(text.length);
    return text.replaceAll("\n", "⏎\n").replaceAll("\t", "⇥") || "∅";
}

/** One of five shades, from certain to surprising. */
function shade(probability: number): string {
    return `sure-${[0.9, 0.6, 0.3, 0.1].filter((bound) => probability < bound).length}`;
}

const MOST_TOKENS = 3000; // that are drawn one by one

function Likeliest({ token }: { token: TokenScore }) {
    return (
        <table class="likeliest">
            <caption>
                <code>{visible(token.text)}</code> {percent(token.probability)}
            </caption>
            <tbody>
                {token.likeliest.map((one) => (
                    <tr key={one.text}>
                        <td>
                            <code>{visible(one.text)}</code>
                        </td>
                        <td>{percent(one.probability)}</td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

function Tokens({ tokens }: { tokens: TokenScore[] }) {
    const [shown, setShown] = useState<number | null>(null);
    const last = Math.min(tokens.length, MOST_TOKENS) - 1;
    function go(event: KeyboardEvent) {
        const now = shown ?? 0;
        const to = { ArrowRight: Math.min(now + 1, last), ArrowLeft: Math.max(now - 1, 0), Home: 0, End: last }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        setShown(to);
    }
    return (
        <div class="tokens" onMouseLeave={() => setShown(null)}>
            <p class="token-text" tabIndex={0} role="group" aria-label="Tokens: the arrow keys go from one to the next" onKeyDown={go} onFocus={() => setShown((now) => now ?? 0)}>
                {tokens.slice(0, MOST_TOKENS).map((token, index) => (
                    <span key={index} class={`token ${shade(token.probability)} ${shown === index ? "shown" : ""}`} onMouseEnter={() => setShown(index)}>
                        {token.text}
                    </span>
                ))}
                {tokens.slice(MOST_TOKENS).map(({ text }) => text).join("")}
            </p>
            <div class="token-shown" aria-live="polite">
                {shown !== null && tokens[shown] ? <Likeliest token={tokens[shown]} /> : <p class="hint">Point at a token, or go there with the arrow keys, to see what else the model had in mind.</p>}
            </div>
        </div>
    );
}

function facts(answer: Answer): string {
    return [
        answer.first !== undefined && `first token after ${answer.first < 1000 ? `${Math.round(answer.first)} ms` : duration(answer.first / 1000)}`,
        answer.pace !== undefined && `${answer.pace < 100 ? answer.pace.toFixed(1) : count(Math.round(answer.pace))} tokens a second`,
        answer.count !== undefined && `${count(answer.count)} tokens`,
        answer.reason === "length" && "cut at the most tokens",
        answer.state === "stopped" && "stopped",
    ]
        .filter(Boolean)
        .join(" · ");
}

export function AnswerView({ answer, named, onAgain, onSave, busy }: { answer: Answer; named: boolean; onAgain: () => void; onSave: () => void; busy: boolean }) {
    const going = answer.state === "waiting" || answer.state === "going";
    return (
        <article class="answer" aria-busy={going} aria-label={`Answer of ${shortModel(answer.model)}`}>
            {named && <h3 class="answer-model">{shortModel(answer.model)}</h3>}
            {answer.tokens?.length ? <Tokens tokens={answer.tokens} /> : answer.text ? <Markdown text={answer.text} /> : going && <span class="typing" aria-label="The model is at it" />}
            {answer.state === "failed" && (
                <Note kind="bad" title={answer.error}>
                    <Button small icon="retry" onPress={onAgain}>
                        Try again
                    </Button>
                </Note>
            )}
            <footer>
                <small>{facts(answer)}</small>
                {!going && (
                    <span class="answer-actions">
                        <IconButton icon="copy" label="Copy the answer" onPress={() => copyText(answer.text, "The answer is copied.")} />
                        <IconButton icon="retry" label="Answer anew" onPress={onAgain} disabled={busy} />
                        <IconButton icon="save" label="Save as a training example" onPress={onSave} disabled={!answer.text} />
                    </span>
                )}
            </footer>
        </article>
    );
}
