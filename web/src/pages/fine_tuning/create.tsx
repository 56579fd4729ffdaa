// A new job: choose, look at what is in the file and what it will take, start.
import { useEffect, useRef, useState } from "preact/hooks";
import { api, ApiError, type List } from "../../api/client";
import type { Check } from "../../api/checks";
import { useCheckpoints, wholeModel } from "../../api/checkpoints";
import { changed, useLive } from "../../api/live";
import type { Checkpoint, Job, Model } from "../../api/objects";
import { Button } from "../../kit/button";
import { Code } from "../../kit/code";
import { Dialog } from "../../kit/dialog";
import { type Choice, SelectField, TextField } from "../../kit/field";
import { bytes, count, duration, shortModel } from "../../kit/format";
import { Check as CheckBox } from "../../kit/field";
import { Note, PageHead } from "../../kit/show";
import { errorText } from "../../kit/toast";
import { navigate, place } from "../../router";
import { FileChoice } from "./file_choice";
import { ComingReport, FileReport } from "./file_report";
import { requestAsCode } from "./job_as_code";
import { advancedFields, emptyDraft, type Draft, draftFaults, draftFromJob, draftOfFiles, draftRequest, MODULES } from "./draft";

const PATIENCE = 500; // milliseconds without a change before a draft is checked

const LOST = 2000; // milliseconds until an absent server is asked again

const apiError = (reason: unknown) => (reason instanceof ApiError ? reason : new ApiError(errorText(reason), 0));

interface Found {
    check: Check | null;
    error: ApiError | null;
}

/** What the server finds in a draft. Where a setting is refused, the files are looked at all the same. */
async function look(draft: Draft, signal: AbortSignal): Promise<Found> {
    const ask = (of: Draft) => api.post<Check>("/v1/fine_tuning/checks", draftRequest({ ...of, suffix: "" }), { signal });
    let error: ApiError | null = null;
    if (!Object.keys(draftFaults(draft)).length) {
        try {
            return { check: await ask(draft), error };
        } catch (reason) {
            error = apiError(reason);
            if (signal.aborted || error.status !== 400 || filesFields.includes(error.param ?? "")) return { check: null, error };
        }
    }
    try {
        return { check: { ...(await ask(draftOfFiles(draft))), estimate: null }, error };
    } catch (reason) {
        return { check: null, error: error ?? apiError(reason) };
    }
}

const filesOf = (draft: Draft) => JSON.stringify([draft.model, draft.training_file, draft.validation_file]);

/** The check of a draft, asked for once it rests. That of other files than the draft's is no longer told. */
function useCheck(draft: Draft): Found & { busy: boolean } {
    const [state, setState] = useState<Found & { busy: boolean; of: string }>({ check: null, error: null, busy: false, of: "" });
    const [tries, setTries] = useState(0);
    const { suffix: _, ...asked } = draft; // a nickname changes nothing
    const key = JSON.stringify(asked);
    const files = filesOf(draft);
    useEffect(() => {
        if (state.busy || state.error?.status !== 0) return;
        const timer = setTimeout(() => setTries((n) => n + 1), LOST);
        return () => clearTimeout(timer);
    }, [state]);
    useEffect(() => {
        if (!draft.training_file || !draft.model) return setState({ check: null, error: null, busy: false, of: "" });
        const abort = new AbortController();
        setState((before) => ({ ...before, busy: true }));
        const timer = setTimeout(async () => {
            const found = await look(draft, abort.signal);
            if (!abort.signal.aborted) setState({ ...found, busy: false, of: files });
        }, PATIENCE);
        return () => {
            clearTimeout(timer);
            abort.abort();
        };
    }, [key, tries]);
    return state.of === files ? state : { check: null, error: null, busy: state.busy };
}

function modelChoices(models: Model[], checkpoints: Checkpoint[], chosen: string): Choice[] {
    const bases = models.filter((model) => model.tags.includes("fine-tunable"));
    const tuned = models.filter((model) => model.id.startsWith("ft:"));
    const whole = wholeModel(chosen);
    const choices: Choice[] = [
        ...bases.map((model) => ({ value: model.id, label: model.id, group: "Base models" })),
        ...tuned.map((model) => ({ value: model.id, label: shortModel(model.id), group: "Go on from a model of yours" })),
        ...checkpoints.map((one) => ({
            value: one.fine_tuned_model_checkpoint,
            label: `${shortModel(whole)}, step ${count(one.step_number)}`,
            group: `Go on from a checkpoint of ${shortModel(whole)}`,
        })),
    ];
    const missing = chosen !== "" && !choices.some(({ value }) => value === chosen);
    return missing ? [...choices, { value: chosen, label: shortModel(chosen), group: "From the address" }] : choices;
}

interface Part {
    draft: Draft;
    change: (changes: Partial<Draft>) => void;
    check: Check | null;
    fault: (param: string) => string | null;
}

const auto = (value: number | undefined) => (value === undefined ? "auto" : `auto: ${value}`);

/** What most leave alone. It opens by itself where something in it is refused. */
function Advanced({ draft, change, check, fault }: Part) {
    const [open, setOpen] = useState(false);
    const faulty = advancedFields.some((field) => fault(field) !== null);
    const modulesFault = fault("lora.target_modules");
    useEffect(() => {
        if (faulty) setOpen(true);
    }, [faulty]);
    return (
        <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
            <summary>
                Advanced
                {faulty && !open && <span class="field-error"> – something in here is refused</span>}
            </summary>
            <div class="form-grid">
                <TextField label="Seed" optional value={draft.seed} onInput={(seed) => change({ seed })} placeholder="random" error={fault("seed")} hint="The same seed, data and settings give the same model." />
                <TextField label="LoRA rank" value={draft.rank} onInput={(rank) => change({ rank })} placeholder={String(check?.lora.rank ?? 16)} error={fault("lora.rank")} hint="How much the model can learn anew. More takes more memory." />
                <TextField label="LoRA alpha" value={draft.alpha} onInput={(alpha) => change({ alpha })} placeholder={String(check?.lora.alpha ?? 32)} error={fault("lora.alpha")} hint="How strongly what is learned acts: alpha / rank." />
                <TextField label="LoRA dropout" value={draft.dropout} onInput={(dropout) => change({ dropout })} placeholder={String(check?.lora.dropout ?? 0)} error={fault("lora.dropout")} hint="Of 0 to 0.9: a guard against learning by heart." />
            </div>
            <fieldset class="choices modules" aria-describedby="modules-note">
                <legend>LoRA modules</legend>
                {MODULES.map((module) => (
                    <CheckBox
                        key={module}
                        label={<code>{module}</code>}
                        checked={draft.target_modules.includes(module)}
                        onInput={(chosen) => change({ target_modules: MODULES.filter((one) => (one === module ? chosen : draft.target_modules.includes(one))) })}
                    />
                ))}
            </fieldset>
            {modulesFault ? (
                <p class="field-error" id="modules-note" role="alert">
                    {modulesFault}
                </p>
            ) : (
                <p class="hint" id="modules-note">
                    Which of each layer's matrices are trained; all seven by default.
                </p>
            )}
        </details>
    );
}

function Settings({ draft, change, check, fault }: Part) {
    const chosen = check?.hyperparameters;
    return (
        <section class="card">
            <h2>Settings</h2>
            <div class="form-grid">
                <TextField label="Nickname" optional value={draft.suffix} onInput={(suffix) => change({ suffix })} maxLength={64} error={fault("suffix")} hint="Becomes a part of the new model's name." />
                <TextField label="Epochs" value={draft.n_epochs} onInput={(n_epochs) => change({ n_epochs })} placeholder={auto(chosen?.n_epochs)} error={fault("n_epochs")} hint="How often the file is gone through. More for few examples." />
                <TextField label="Batch size" value={draft.batch_size} onInput={(batch_size) => change({ batch_size })} placeholder={auto(chosen?.batch_size)} error={fault("batch_size")} hint="Examples that each step learns from together." />
                <TextField
                    label="Learning-rate multiplier"
                    value={draft.learning_rate_multiplier}
                    onInput={(learning_rate_multiplier) => change({ learning_rate_multiplier })}
                    placeholder={auto(chosen?.learning_rate_multiplier)}
                    error={fault("learning_rate_multiplier")}
                    hint="Above 1 learns faster and forgets more, below 1 more gently."
                />
            </div>
            <Advanced draft={draft} change={change} check={check} fault={fault} />
        </section>
    );
}

function EstimateView({ check, busy, faulty }: { check: Check | null; busy: boolean; faulty: boolean }) {
    const estimate = check?.estimate;
    const waits = busy ? "Looking at the files…" : faulty ? "Mend what is marked above: then time and memory are estimated, and the job can be created." : "Time and memory are estimated once the files are good.";
    const totals = [
        [duration(estimate?.seconds), "at work, about"],
        [bytes(estimate?.memory_bytes), "of memory beside the base"],
        [count(estimate?.steps), "steps"],
        [count(estimate && Math.round(estimate.tokens_per_second)), "tokens a second"],
    ];
    return (
        <div class={`estimate ${busy && estimate ? "stale" : ""}`} data-testid={estimate ? "estimate" : undefined}>
            <dl class="report-totals">
                {totals.map(([value, name]) => (
                    <div key={name}>
                        <dd>{value}</dd>
                        <dt>{name}</dt>
                    </div>
                ))}
            </dl>
            <p class="hint" role="status">
                {estimate ? estimate.basis : waits}
            </p>
        </div>
    );
}

const filesFields = ["model", "training_file", "validation_file"];
const fieldsWithPlace = [...filesFields, "suffix", "n_epochs", "batch_size", "learning_rate_multiplier", ...advancedFields];

/** The field of the form that the server's name for what it refused belongs to. */
const fieldOf = (param: string | null | undefined) => fieldsWithPlace.find((field) => param === field || param?.endsWith(`.${field}`));

/** The server names the parameter, and beside its field that is said already. */
const besideField = (message: string) => message.replace(/^Invalid '[^']*': /, "").replace(/^./, (letter) => letter.toUpperCase());

interface Drafting {
    draft: Draft;
    change: (changes: Partial<Draft>) => void;
    /** Why the job that it was to be filled in from could not be had. */
    error: string;
}

function useDraft(): Drafting {
    const parameters = place.value.query;
    const [draft, setDraft] = useState<Draft>(() => ({ ...emptyDraft, model: parameters.get("model") ?? "", training_file: parameters.get("training_file") ?? "" }));
    const [error, setError] = useState("");
    const from = parameters.get("from");
    useEffect(() => {
        setError("");
        if (from) void api.get<Job>(`/v1/fine_tuning/jobs/${encodeURIComponent(from)}`).then((job) => setDraft(draftFromJob(job)), (reason) => setError(errorText(reason)));
    }, [from]);
    return { draft, error, change: (changes) => setDraft((before) => ({ ...before, ...changes })) };
}

/** Makes the job, once, however often it is asked to while it does. */
function useCreation(draft: Draft) {
    const [failed, setFailed] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const working = useRef(false);
    async function create() {
        if (working.current) return;
        working.current = true;
        setBusy(true);
        try {
            const job = await api.post<Job>("/v1/fine_tuning/jobs", draftRequest(draft));
            changed("/v1/fine_tuning/jobs");
            navigate(`/fine-tuning/${job.id}`);
        } catch (reason) {
            setFailed(apiError(reason));
        }
        working.current = false;
        setBusy(false);
    }
    return { create, busy, failed, forget: () => setFailed(null) };
}

export function CreateJob() {
    const models = useLive<List<Model>>("/v1/models");
    const { draft, change, error: notFilled } = useDraft();
    const { check, error: refused, busy } = useCheck(draft);
    const creation = useCreation(draft);
    const [code, setCode] = useState(false);
    const checkpoints = useCheckpoints(draft.model);
    const list = models.data?.data ?? [];
    const choices = modelChoices(list, checkpoints, draft.model);
    useEffect(() => {
        if (!draft.model && choices[0]) change({ model: choices[0].value });
    }, [list.length]);
    const written = draftFaults(draft);
    const error = creation.failed ?? refused;
    const fault = (field: string) => written[field] ?? (error && fieldOf(error.param) === field ? besideField(error.message) : null);
    const faulty = fieldsWithPlace.some((field) => fault(field) !== null);
    const good = check?.training_file.valid && (check.validation_file?.valid ?? true) && !refused && !Object.keys(written).length;
    const part: Part = { draft, check, fault, change: (changes) => (creation.forget(), change(changes)) };
    return (
        <>
            <PageHead title="New fine-tuning job" about="Choose a base and a file of chats; see what is in it; start." back={{ href: "/fine-tuning", label: "Fine-tuning" }} />
            {notFilled && <Note kind="bad" title="The earlier job's settings could not be had">{notFilled}</Note>}
            <form class="create" onSubmit={(event) => (event.preventDefault(), good && void creation.create())}>
                <section class="card">
                    <h2>Model and data</h2>
                    <SelectField label="Base model" value={draft.model} onInput={(model) => part.change({ model })} choices={choices} error={fault("model")} hint="What the new model begins as. Any fine-tuned model can be gone on from, and so can its checkpoints." />
                    <FileChoice label="Training file" value={draft.training_file} onChoose={(training_file) => part.change({ training_file })} error={fault("training_file")} />
                    {check ? <FileReport file={check.training_file} /> : draft.training_file && !error && <ComingReport />}
                    <FileChoice label="Validation file" optional value={draft.validation_file} onChoose={(validation_file) => part.change({ validation_file })} error={fault("validation_file")} />
                    {check?.validation_file && <FileReport brief file={check.validation_file} />}
                </section>
                <Settings {...part} />
                <section class="card create-foot">
                    {error && !fieldOf(error.param) && <Note kind="bad">{error.message}</Note>}
                    <EstimateView check={check} busy={busy} faulty={faulty} />
                    <div class="tools">
                        <Button kind="primary" type="submit" disabled={!good || creation.busy}>
                            {creation.busy ? "Creating…" : "Create job"}
                        </Button>
                        <Button icon="copy" onPress={() => setCode(true)} disabled={!draft.training_file}>
                            As code
                        </Button>
                    </div>
                </section>
            </form>
            <Dialog wide open={code} title="This job, as code" onClose={() => setCode(false)}>
                <div class="dialog-body">
                    <Code label="This job, as code" examples={requestAsCode(draftRequest(draft))} />
                </div>
            </Dialog>
        </>
    );
}
