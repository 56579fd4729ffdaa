// A job that is being filled in: what stands in the fields, as text, and the request that it comes to. Empty fields are
// left to the server.
import type { Job } from "../../api/objects";
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

/** A number where it is one; else the text, for the server to say what is wrong with it. */
function numeric(text: string): number {
    const value = Number(text.trim().replace(",", "."));
    return (Number.isNaN(value) ? text : value) as number;
}

function numbers(fields: Record<string, string>): Record<string, number> {
    return Object.fromEntries(
        Object.entries(fields)
            .filter(([, text]) => text.trim() !== "" && text.trim() !== "auto")
            .map(([name, text]) => [name, numeric(text)]),
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
