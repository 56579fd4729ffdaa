// A job's metrics by columns, as GET /v1/fine_tuning/jobs/{id}/metrics gives them.
type Column = (number | null)[];

export interface Curves {
    job_id: string;
    total_steps: number | null;
    steps: number[];
    epochs: Column;
    tokens: Column;
    train_loss: Column;
    train_mean_token_accuracy: Column;
    valid_loss: Column;
    full_valid_loss: Column;
    learning_rate: Column;
    grad_norm: Column;
    tokens_per_second: Column;
}
