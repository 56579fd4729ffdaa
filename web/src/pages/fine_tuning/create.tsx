// A new job: choose, look at what is in the file and what it will take, start.
import { useEffect, useState } from "preact/hooks";
import { api, ApiError, type List } from "../../api/client";
import type { Check } from "../../api/checks";
import { changed, useLive } from "../../api/live";
import type { Job, Model } from "../../api/objects";
import { Button } from "../../kit/button";
import { Code } from "../../kit/code";
import { Dialog } from "../../kit/dialog";
import { SelectField, TextField } from "../../kit/field";
import { bytes, count, duration, shortModel } from "../../kit/format";
import { Check as CheckBox } from "../../kit/field";
import { Note, PageHead } from "../../kit/show";
import { errorText } from "../../kit/toast";
import { navigate, place } from "../../router";
import { FileChoice } from "./file_choice";
import { FileReport } from "./file_report";
import { requestAsCode } from "./job_as_code";
import { emptyDraft, type Draft, draftFromJob, draftRequest, MODULES } from "./draft";

const PATIENCE = 500; // milliseconds without a change before a draft is checked

/** The check of a draft, asked for once it rests. */
function useCheck(draft: Draft): { check: Check | null; error: ApiError | null; busy: boolean } {
    const [state, setState] = useState<{ check: Check | null; error: ApiError | null; busy: boolean }>({ check: null, error: null, busy: false });
    const { suffix: _, ...asked } = draft; // a nickname changes nothing
    const key = JSON.stringify(asked);
    useEffect(() => {
        if (!draft.training_file || !draft.model) return setState({ check: null, error: null, busy: false });
        const abort = new AbortController();
        setState((before) => ({ ...before, busy: true }));
        const timer = setTimeout(async () => {
            try {
                const check = await api.post<Check>("/v1/fine_tuning/checks", draftRequest({ ...draft, suffix: "" }), { signal: abort.signal });
                setState({ check, error: null, busy: false });
            } catch (reason) {
                if (abort.signal.aborted) return;
                setState({ check: null, error: reason instanceof ApiError ? reason : new ApiError(errorText(reason), 0), busy: false });
            }
        }, PATIENCE);
        return () => {
            clearTimeout(timer);
            abort.abort();
        };
    }, [key]);
    return state;
}

function modelChoices(models: Model[]) {
    const bases = models.filter((model) => model.tags.includes("fine-tunable"));
    const tuned = models.filter((model) => model.id.startsWith("ft:"));
    return [
        ...bases.map((model) => ({ value: model.id, label: model.id })),
        ...tuned.map((model) => ({ value: model.id, label: `go on from ${shortModel(model.id)}` })),
    ];
}

interface Part {
    draft: Draft;
    change: (changes: Partial<Draft>) => void;
    check: Check | null;
    fault: (param: string) => string | null;
}

const auto = (value: number | undefined) => (value === undefined ? "auto" : `auto: ${value}`);

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
            <details>
                <summary>Advanced</summary>
                <div class="form-grid">
                    <TextField label="Seed" optional value={draft.seed} onInput={(seed) => change({ seed })} placeholder="random" error={fault("seed")} hint="The same seed, data and settings give the same model." />
                    <TextField label="LoRA rank" value={draft.rank} onInput={(rank) => change({ rank })} placeholder={String(check?.lora.rank ?? 16)} error={fault("lora.rank")} hint="How much the model can learn anew. More takes more memory." />
                    <TextField label="LoRA alpha" value={draft.alpha} onInput={(alpha) => change({ alpha })} placeholder={String(check?.lora.alpha ?? 32)} error={fault("lora.alpha")} hint="How strongly what is learned acts: alpha / rank." />
                    <TextField label="LoRA dropout" value={draft.dropout} onInput={(dropout) => change({ dropout })} placeholder={String(check?.lora.dropout ?? 0)} error={fault("lora.dropout")} hint="Of 0 to 1: a guard against learning by heart." />
                </div>
                <fieldset class="choices modules">
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
                <p class="hint">Which of each layer's matrices are trained; all seven by default.</p>
            </details>
        </section>
    );
}

function EstimateView({ check, busy }: { check: Check | null; busy: boolean }) {
    const estimate = check?.estimate;
    if (!estimate) return <p class="hint">{busy ? "Looking at the files…" : "Time and memory are estimated once the files are good."}</p>;
    return (
        <div class={`estimate ${busy ? "stale" : ""}`} aria-live="polite" data-testid="estimate">
            <dl class="report-totals">
                <div>
                    <dd>{duration(estimate.seconds)}</dd>
                    <dt>at work, about</dt>
                </div>
                <div>
                    <dd>{bytes(estimate.memory_bytes)}</dd>
                    <dt>of memory beside the base</dt>
                </div>
                <div>
                    <dd>{count(estimate.steps)}</dd>
                    <dt>steps</dt>
                </div>
                <div>
                    <dd>{count(Math.round(estimate.tokens_per_second))}</dd>
                    <dt>tokens a second</dt>
                </div>
            </dl>
            <p class="hint">{estimate.basis}</p>
        </div>
    );
}

const fieldsWithPlace = ["model", "training_file", "validation_file", "suffix", "seed", "n_epochs", "batch_size", "learning_rate_multiplier", "lora.rank", "lora.alpha", "lora.dropout"];

function useDraft(): [Draft, (changes: Partial<Draft>) => void] {
    const parameters = place.value.query;
    const [draft, setDraft] = useState<Draft>(() => ({ ...emptyDraft, model: parameters.get("model") ?? "", training_file: parameters.get("training_file") ?? "" }));
    const from = parameters.get("from");
    useEffect(() => {
        if (from) void api.get<Job>(`/v1/fine_tuning/jobs/${from}`).then((job) => setDraft(draftFromJob(job)), () => undefined);
    }, [from]);
    return [draft, (changes) => setDraft((before) => ({ ...before, ...changes }))];
}

export function CreateJob() {
    const models = useLive<List<Model>>("/v1/models");
    const [draft, change] = useDraft();
    const { check, error: refused, busy } = useCheck(draft);
    const [failed, setFailed] = useState<ApiError | null>(null);
    const [code, setCode] = useState(false);
    const choices = modelChoices(models.data?.data ?? []);
    useEffect(() => {
        if (!draft.model && choices[0]) change({ model: choices[0].value });
    }, [choices.length]);
    const error = failed ?? refused;
    const placeOf = (param: string | null | undefined) => fieldsWithPlace.find((field) => param === field || param?.endsWith(`.${field}`));
    const fault = (field: string) => (error && placeOf(error.param) === field ? error.message : null);
    const good = check?.training_file.valid && (check.validation_file?.valid ?? true);
    async function create() {
        try {
            const job = await api.post<Job>("/v1/fine_tuning/jobs", draftRequest(draft));
            changed("/v1/fine_tuning/jobs");
            navigate(`/fine-tuning/${job.id}`);
        } catch (reason) {
            setFailed(reason instanceof ApiError ? reason : new ApiError(errorText(reason), 0));
        }
    }
    const part: Part = { draft, check, fault, change: (changes) => (setFailed(null), change(changes)) };
    return (
        <>
            <PageHead title="New fine-tuning job" about="Choose a base and a file of chats; see what is in it; start." back={{ href: "/fine-tuning", label: "Fine-tuning" }} />
            <form class="create" onSubmit={(event) => (event.preventDefault(), good && void create())}>
                <section class="card">
                    <h2>Model and data</h2>
                    <SelectField label="Base model" value={draft.model} onInput={(model) => part.change({ model })} choices={choices} error={fault("model")} hint="What the new model begins as. Any fine-tuned model can be gone on from." />
                    <FileChoice label="Training file" value={draft.training_file} onChoose={(training_file) => part.change({ training_file })} error={fault("training_file")} />
                    {check && <FileReport file={check.training_file} />}
                    <FileChoice label="Validation file" optional value={draft.validation_file} onChoose={(validation_file) => part.change({ validation_file })} error={fault("validation_file")} />
                    {check?.validation_file && <FileReport brief file={check.validation_file} />}
                </section>
                <Settings {...part} />
                <section class="card create-foot">
                    {error && !placeOf(error.param) && <Note kind="bad">{error.message}</Note>}
                    <EstimateView check={check} busy={busy} />
                    <div class="tools">
                        <Button kind="primary" type="submit" disabled={!good}>
                            Create job
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
