// A job that is being filled in: what stands in the fields, as text, and the request that it comes to. Empty fields are
// left to the server.
import type { Job } from "../../api/objects";
import { noNumber, readNumber } from "../../kit/format";
import type { JobRequest } from "./job_as_code";

export const MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

export interface Draft {
    model: string;
    training_file: string;
    validation_file: string;
    suffix: string;
    seed: string;
    n_epochs: string;
    batch_size: string;
    learning_rate_multiplier: string;
    rank: string;
    alpha: string;
    dropout: string;
    target_modules: string[];
}

export const emptyDraft: Draft = {
    model: "", training_file: "", validation_file: "", suffix: "", seed: "", n_epochs: "", batch_size: "", learning_rate_multiplier: "",
    rank: "", alpha: "", dropout: "", target_modules: MODULES,
};

/** Whether a field stands as its default. */
const isLeft = (text: string) => text.trim() === "" || text.trim() === "auto";

/** Fields that hold numbers, by the names that the API has for them. */
const numberFields = (draft: Draft): Record<string, string> => ({
    n_epochs: draft.n_epochs, batch_size: draft.batch_size, learning_rate_multiplier: draft.learning_rate_multiplier, seed: draft.seed,
    "lora.rank": draft.rank, "lora.alpha": draft.alpha, "lora.dropout": draft.dropout,
});

/** Settings that lie behind "Advanced". */
export const advancedFields = ["seed", "lora.rank", "lora.alpha", "lora.dropout", "lora.target_modules"];

/** What cannot be sent as it stands, in words, by field. */
export function draftFaults(draft: Draft): Record<string, string> {
    const faults: Record<string, string> = {};
    for (const [name, text] of Object.entries(numberFields(draft)))
        if (!isLeft(text) && readNumber(text) === null) faults[name] = noNumber(text);
    if (!draft.target_modules.length) faults["lora.target_modules"] = "Choose at least one: these are what is trained.";
    return faults;
}

/** The same with every setting at its default: what the files hold does not depend on the rest. */
export function draftOfFiles({ model, training_file, validation_file }: Draft): Draft {
    return { ...emptyDraft, model, training_file, validation_file };
}

/** Texts that are no numbers are sent as they are, for the server to refuse. */
function numbers(fields: Record<string, string>): Record<string, number> {
    return Object.fromEntries(
        Object.entries(fields)
            .filter(([, text]) => !isLeft(text))
            .map(([name, text]) => [name, (readNumber(text) ?? text) as number]),
    );
}

export function draftRequest(draft: Draft): JobRequest {
    const hyperparameters = numbers({ n_epochs: draft.n_epochs, batch_size: draft.batch_size, learning_rate_multiplier: draft.learning_rate_multiplier });
    const lora: JobRequest["lora"] = numbers({ rank: draft.rank, alpha: draft.alpha, dropout: draft.dropout });
    if (draft.target_modules.length < MODULES.length) lora.target_modules = draft.target_modules;
    return {
        model: draft.model,
        training_file: draft.training_file,
        ...(draft.validation_file && { validation_file: draft.validation_file }),
        ...(draft.suffix.trim() && { suffix: draft.suffix.trim() }),
        ...numbers({ seed: draft.seed }),
        ...(Object.keys(hyperparameters).length && { method: { type: "supervised", supervised: { hyperparameters } } }),
        ...(Object.keys(lora).length && { lora }),
    };
}

const text = (value: number | "auto" | undefined) => (value === undefined || value === "auto" ? "" : String(value));

export function draftFromJob(job: Job): Draft {
    return {
        model: job.model,
        training_file: job.training_file,
        validation_file: job.validation_file ?? "",
        suffix: job.user_provided_suffix ?? "",
        seed: "",
        n_epochs: text(job.hyperparameters.n_epochs),
        batch_size: text(job.hyperparameters.batch_size),
        learning_rate_multiplier: text(job.hyperparameters.learning_rate_multiplier),
        rank: text(job.lora?.rank),
        alpha: text(job.lora?.alpha),
        dropout: text(job.lora?.dropout),
        target_modules: job.lora?.target_modules ?? MODULES,
    };
}
