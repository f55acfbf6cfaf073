//! `Linear` and `GatedLinear`: products with block-quantised matrices.

use std::sync::PoisonError;

use finch_kernels::linear::{Matrix, Product, Shape, multiply};
use ort::{
    operator::{ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput},
    value::TensorElementType,
};

use super::{
    Machine, Threads,
    tensors::{numbers, required, size},
};
pub(super) struct Linear(pub(super) Machine);
pub(super) struct GatedLinear(pub(super) Machine);

pub(super) struct LinearKernel {
    machine: Machine,
    shape: Shape,
    numbers: Numbers,
}

/// The numbers of the matrices.
#[derive(Clone, Copy)]
enum Numbers {
    Plain(usize),
    Gated { gate: usize, up: usize },
}

fn floats() -> OperatorInput {
    OperatorInput::required(TensorElementType::Float32)
}

impl Operator for Linear {
    type Kernel<'a> = LinearKernel;

    fn name(&self) -> &str {
        finch_model::kernels::LINEAR
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        // The input and the bias.
        [floats(), OperatorInput::optional(TensorElementType::Float32)]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'a>(&self, context: &KernelContext<'a>) -> ort::Result<LinearKernel> {
        LinearKernel::new(&self.0, Numbers::Plain(size(context, "matrix")?))
    }
}

impl Operator for GatedLinear {
    type Kernel<'a> = LinearKernel;

    fn name(&self) -> &str {
        finch_model::kernels::GATED
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [floats()]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'a>(&self, context: &KernelContext<'a>) -> ort::Result<LinearKernel> {
        LinearKernel::new(&self.0, Numbers::Gated { gate: size(context, "gate")?, up: size(context, "up")? })
    }
}

impl LinearKernel {
    fn new(machine: &Machine, numbers: Numbers) -> ort::Result<Self> {
        let shape = match numbers {
            Numbers::Plain(number) => machine.matrix(number)?.shape(),
            Numbers::Gated { gate, up } => {
                let (gate, up) = (machine.matrix(gate)?.shape(), machine.matrix(up)?.shape());
                // Each has its own width of scales.
                if gate != (Shape { scales: gate.scales, ..up }) {
                    return Err(ort::Error::new(format!("{gate:?} is gated with {up:?}")));
                }
                gate
            }
        };
        Ok(Self { machine: machine.clone(), shape, numbers })
    }

    fn product<'k>(&'k self, bias: Option<&'k [f32]>) -> ort::Result<Product<'k>> {
        Ok(match self.numbers {
            Numbers::Plain(number) => {
                if bias.is_some_and(|bias| bias.len() != self.shape.rows) {
                    return Err(ort::Error::new("the bias does not have a number for each row"));
                }
                Product::Plain { matrix: self.machine.matrix(number)?, bias }
            }
            Numbers::Gated { gate, up } => {
                Product::Gated { gate: self.machine.matrix(gate)?, up: self.machine.matrix(up)? }
            }
        })
    }
}

impl Machine {
    fn matrix(&self, number: usize) -> ort::Result<Matrix<'_>> {
        let matrix = self.matrices.get(number);
        matrix.ok_or_else(|| ort::Error::new(format!("there is no matrix with the number {number}")))
    }
}

impl Kernel for LinearKernel {
    fn compute(&mut self, context: &ComputeContext) -> ort::Result<()> {
        let input = required(context, 0)?;
        let (dims, input) = input.try_extract_tensor::<f32>()?;
        let mut dims: Vec<i64> = dims.to_vec();
        let columns = dims.last_mut().filter(|last| usize::try_from(**last) == Ok(self.shape.columns));
        *columns.ok_or_else(|| ort::Error::new("the input does not have the matrix's columns"))? =
            i64::try_from(self.shape.rows).unwrap_or(i64::MAX);
        let Some(mut output) = context.output(0, dims)? else {
            return Ok(());
        };
        let (_, output) = output.try_extract_tensor_mut::<f32>()?;
        if output.is_empty() {
            return Ok(());
        }
        let bias = match self.numbers {
            Numbers::Plain(_) => context.input(1)?,
            Numbers::Gated { .. } => None,
        };
        let product = self.product(numbers(&bias)?)?;
        let threads = Threads { context, width: self.machine.threads };
        let mut room = self.machine.room.lock().unwrap_or_else(PoisonError::into_inner);
        multiply(self.machine.processor, &threads, &product, input, output, &mut room);
        Ok(())
    }
}
