// The playground: talk to a model, or to two or three side by side.
import { useEffect, useRef, useState } from "preact/hooks";
import { useCheckpoints, wholeModel } from "../../api/checkpoints";
import type { List } from "../../api/client";
import { useLive } from "../../api/live";
import type { Model } from "../../api/objects";
import { Button, IconButton } from "../../kit/button";
import { Code } from "../../kit/code";
import { examples as codeExamples } from "../../kit/code_examples";
import { Dialog } from "../../kit/dialog";
import { choiceOptions } from "../../kit/field";
import { count, shortModel } from "../../kit/format";
import { Empty, PageHead } from "../../kit/show";
import { place, setQuery } from "../../router";
import { AnswerView } from "./answer_view";
import { type Answering, useAnswering } from "./answering";
import { type Exchange, messagesFor, newConversation, requestSettings, standard } from "./conversation";
import { ExamplesPanel } from "./examples_panel";
import { HistoryPanel } from "./history_panel";
import { examples } from "./kept";
import { SaveExample } from "./save_example";
import { SettingsPanel } from "./settings_panel";

const MOST_MODELS = 3;

function modelsOfAddress(): string[] {
    const { query } = place.value;
    return [query.get("model"), ...(query.get("compare") ?? "").split(",")].filter((model): model is string => !!model).slice(0, MOST_MODELS);
}

function rememberModels(models: string[]) {
    setQuery({ model: models[0] ?? null, compare: models.slice(1).join(",") || null });
}

function ModelChoice({ models, chosen, onChoose }: { models: Model[]; chosen: string; onChoose: (model: string) => void }) {
    const checkpoints = useCheckpoints(chosen);
    const whole = wholeModel(chosen);
    const known = models.map(({ id }) => ({ value: id, label: shortModel(id), group: id.startsWith("ft:") ? "Fine-tuned" : "Base models" }));
    const steps = checkpoints.map((one) => ({ value: one.fine_tuned_model_checkpoint, label: `${shortModel(whole)}, step ${count(one.step_number)}`, group: `Checkpoints of ${shortModel(whole)}` }));
    const choices = [...known.filter(({ group }) => group === "Fine-tuned"), ...steps, ...known.filter(({ group }) => group !== "Fine-tuned")];
    if (chosen && !choices.some(({ value }) => value === chosen)) choices.unshift({ value: chosen, label: shortModel(chosen), group: "From the address" });
    return (
        <select class="input" aria-label="Model" title={chosen} value={chosen} onInput={(event) => onChoose(event.currentTarget.value)}>
            {choiceOptions(choices, chosen)}
        </select>
    );
}

function ModelBar({ models, talk }: { models: Model[]; talk: Answering }) {
    const chosen = talk.conversation.models;
    function set(next: string[]) {
        talk.change({ models: next });
        rememberModels(next);
    }
    return (
        <div class="model-bar">
            {chosen.map((model, index) => (
                <span key={index} class="model-choice">
                    <ModelChoice models={models} chosen={model} onChoose={(next) => set(chosen.map((one, at) => (at === index ? next : one)))} />
                    {chosen.length > 1 && <IconButton icon="close" label={`Leave ${shortModel(model)} out`} onPress={() => set(chosen.filter((_, at) => at !== index))} />}
                </span>
            ))}
            {chosen.length < MOST_MODELS && (
                <Button icon="compare" onPress={() => set([...chosen, models.find(({ id }) => !chosen.includes(id))?.id ?? chosen[0]!])}>
                    Compare
                </Button>
            )}
        </div>
    );
}

function Question({ exchange, busy, onEdit, onRemove }: { exchange: Exchange; busy: boolean; onEdit: (text: string) => void; onRemove: () => void }) {
    const [editing, setEditing] = useState(false);
    const [text, setText] = useState(exchange.question);
    if (editing)
        return (
            <form class="question editing" onSubmit={(event) => (event.preventDefault(), setEditing(false), onEdit(text))}>
                <textarea class="input" aria-label="Your message" rows={3} value={text} onInput={(event) => setText(event.currentTarget.value)} />
                <div class="tools">
                    <Button kind="primary" type="submit" small disabled={!text.trim() || busy}>
                        Send anew
                    </Button>
                    <Button small onPress={() => setEditing(false)}>
                        Cancel
                    </Button>
                </div>
            </form>
        );
    return (
        <div class="question">
            <p>{exchange.question}</p>
            <span class="answer-actions">
                <IconButton icon="edit" label="Edit your message" onPress={() => setEditing(true)} disabled={busy} />
                <IconButton icon="remove" label="Delete this turn" onPress={onRemove} disabled={busy} />
            </span>
        </div>
    );
}

function Composer({ talk }: { talk: Answering }) {
    const [text, setText] = useState("");
    function submit() {
        if (!text.trim() || talk.busy || !talk.conversation.models[0]) return;
        talk.ask(text);
        setText("");
    }
    return (
        <form class="composer" onSubmit={(event) => (event.preventDefault(), submit())}>
            <textarea
                class="input"
                aria-label="Your message"
                placeholder="Ask something. Enter sends it."
                title="Shift and Enter begin a new line."
                rows={Math.min(8, Math.max(2, text.split("\n").length))}
                value={text}
                autoFocus
                onInput={(event) => setText(event.currentTarget.value)}
                onKeyDown={(event) => {
                    if (event.key === "Escape" && talk.busy) talk.stop();
                    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
                    event.preventDefault();
                    submit();
                }}
            />
            {talk.busy ? (
                <Button icon="stop" onPress={talk.stop}>
                    Stop
                </Button>
            ) : (
                <Button kind="primary" icon="send" type="submit" disabled={!text.trim()}>
                    Send
                </Button>
            )}
        </form>
    );
}

/** Follows the newest words, unless the reader has gone back to earlier ones. */
function useFollowing(conversation: unknown) {
    const box = useRef<HTMLDivElement>(null);
    const follows = useRef(true);
    useEffect(() => {
        const element = box.current;
        if (element && follows.current) element.scrollTop = element.scrollHeight;
    }, [conversation]);
    return {
        box,
        onScroll() {
            const element = box.current!;
            follows.current = element.scrollHeight - element.scrollTop - element.clientHeight < 60;
        },
    };
}

function Talk({ talk, onSave }: { talk: Answering; onSave: (index: number, place: number) => void }) {
    const { exchanges, models } = talk.conversation;
    const { box, onScroll } = useFollowing(talk.conversation);
    const last = exchanges.at(-1)?.answers.filter(({ state }) => state === "done").map(({ text }) => text).join("\n\n") ?? "";
    return (
        <div class="talk" ref={box} onScroll={onScroll} tabIndex={0} role="log" aria-live="off" aria-label="Conversation">
            {exchanges.length === 0 && (
                <Empty icon="playground" title="Ask something">
                    {models.length > 1 ? "The same question goes to each of the models." : "Answers come from this machine, and stay here."}
                </Empty>
            )}
            {exchanges.map((exchange, index) => (
                <section key={exchange.id} class="exchange">
                    <Question exchange={exchange} busy={talk.busy} onEdit={(text) => talk.edit(index, text)} onRemove={() => talk.remove(index)} />
                    <div class="answers" style={{ "--answers": exchange.answers.length }}>
                        {exchange.answers.map((answer, at) => (
                            <AnswerView key={at} answer={answer} named={exchange.answers.length > 1 || answer.model !== models[0]} busy={talk.busy} onAgain={() => talk.again(index, at)} onSave={() => onSave(index, at)} />
                        ))}
                    </div>
                </section>
            ))}
            <div class="unseen" aria-live="polite">
                {talk.busy ? "" : last}
            </div>
        </div>
    );
}

function asCode(talk: Answering) {
    const { conversation } = talk;
    const index = conversation.exchanges.length - 1;
    const messages = index >= 0 ? messagesFor(conversation, 0, index) : [...(conversation.settings.system.trim() ? [{ role: "system", content: conversation.settings.system }] : []), { role: "user", content: "Hello!" }];
    return codeExamples({
        path: "/chat/completions",
        method: "chat.completions.create",
        name: "answer",
        body: { model: conversation.models[0] ?? "", messages, ...requestSettings(conversation.settings) },
        then: ["print(answer.choices[0].message.content)", "console.log(answer.choices[0].message.content);"],
    });
}

type Panel = "settings" | "history" | "examples" | "code" | null;

export function Playground() {
    const models = useLive<List<Model>>("/v1/models");
    const list = models.data?.data ?? [];
    const talk = useAnswering(() => newConversation(modelsOfAddress(), standard));
    const [panel, setPanel] = useState<Panel>(null);
    const [saving, setSaving] = useState<{ index: number; place: number } | null>(null);
    useEffect(() => {
        if (!talk.conversation.models.length && list.length) talk.change({ models: [list.find(({ id }) => id.startsWith("ft:"))?.id ?? list[0]!.id] });
    }, [list.length]);
    useEffect(() => {
        const wanted = modelsOfAddress();
        if (wanted.length && wanted.join() !== talk.conversation.models.join()) talk.change({ models: wanted });
    }, [place.value]);
    const { conversation } = talk;
    const saved = saving && conversation.exchanges[saving.index]?.answers[saving.place];
    return (
        <div class="playground">
            <PageHead title="Playground">
                <Button icon="plus" onPress={() => talk.change(newConversation(conversation.models, conversation.settings))} disabled={talk.busy || !conversation.exchanges.length}>
                    New
                </Button>
                <Button icon="history" onPress={() => setPanel("history")}>
                    History
                </Button>
                <Button icon="save" onPress={() => setPanel("examples")}>
                    {`Examples${examples.value.length ? ` (${examples.value.length})` : ""}`}
                </Button>
                <Button icon="copy" onPress={() => setPanel("code")}>
                    As code
                </Button>
                <span class="only-narrow">
                    <Button icon="tuning" onPress={() => setPanel("settings")}>
                        Settings
                    </Button>
                </span>
            </PageHead>
            <div class="playground-body">
                <div class="playground-main">
                    <ModelBar models={list} talk={talk} />
                    <Talk talk={talk} onSave={(index, at) => setSaving({ index, place: at })} />
                    <Composer talk={talk} />
                </div>
                <aside class="card only-wide" aria-label="Settings">
                    <SettingsPanel settings={conversation.settings} onChange={(settings) => talk.change({ settings })} />
                </aside>
            </div>
            <Dialog open={panel === "settings"} title="Settings" onClose={() => setPanel(null)}>
                <div class="dialog-body">
                    <SettingsPanel settings={conversation.settings} onChange={(settings) => talk.change({ settings })} />
                </div>
            </Dialog>
            <Dialog open={panel === "history"} title="Conversations" onClose={() => setPanel(null)}>
                <div class="dialog-body">
                    <HistoryPanel
                        onOpen={(one) => {
                            talk.stop();
                            talk.change(one);
                            rememberModels(one.models);
                            setPanel(null);
                        }}
                    />
                </div>
            </Dialog>
            <Dialog wide open={panel === "examples"} title="Training examples" onClose={() => setPanel(null)}>
                <div class="dialog-body">
                    <ExamplesPanel />
                </div>
            </Dialog>
            <Dialog wide open={panel === "code"} title="This conversation, as code" onClose={() => setPanel(null)}>
                <div class="dialog-body">
                    <Code label="This conversation, as code" examples={asCode(talk)} />
                </div>
            </Dialog>
            <Dialog wide open={!!saved} title="Save as a training example" onClose={() => setSaving(null)}>
                {saved && <SaveExample messages={messagesFor(conversation, saving.place, saving.index)} answer={saved.text} onClose={() => setSaving(null)} />}
            </Dialog>
        </div>
    );
}
