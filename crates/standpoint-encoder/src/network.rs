//! Networks in ONNX form and the threads that run them.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use rten::{Dimension, ModelOptions, NodeId, RunOptions, ThreadPool, Value, op_registry};
use rten_tensor::Tensor;
use thiserror::Error;

use crate::weights::LoadError;

/// Why a loaded model could not answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The runtime failed.
    #[error("the network {name} failed")]
    Runtime {
        /// The network's file.
        name: &'static str,
        /// What the runtime says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The network gives other numbers than its name promises.
    #[error("the network {name} gives {found} numbers: expected {expected}")]
    Shape {
        /// The network's file.
        name: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },

    /// A vector is not one that the network can read.
    #[error(
        "the network {name} was given a vector of {found} numbers and reads {expected}: vectors \
         and network belong to different models"
    )]
    Width {
        /// The network's file.
        name: &'static str,
        /// How many numbers the vector has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
}

impl From<RunError> for LoadError {
    /// A model that fails when it is tried cannot be used.
    fn from(error: RunError) -> Self {
        match error {
            RunError::Runtime { name, source } => Self::Network { name, source },
            error @ (RunError::Shape { name, .. } | RunError::Width { name, .. }) => {
                Self::Network { name, source: error.into() }
            }
        }
    }
}

impl RunError {
    fn runtime(
        name: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Runtime { name, source: source.into() }
    }
}

/// A network with named inputs and one output.
pub(crate) struct Network<const INPUTS: usize> {
    pub(crate) name: &'static str,
    model: rten::Model,
    inputs: [NodeId; INPUTS],
    output: NodeId,
}

impl<const INPUTS: usize> Network<INPUTS> {
    /// Reads a network from the bytes of its file, and of the one beside it that holds its `weights`
    /// where they stand apart: these are read where they are, without a copy of them in memory.
    ///
    /// # Errors
    ///
    /// [`LoadError::Network`] when it is none, needs an operator that this build lacks, or has
    /// other inputs.
    pub(crate) fn load(
        name: &'static str,
        bytes: Cow<'static, [u8]>,
        weights: Option<(&str, Cow<'static, [u8]>)>,
        inputs: [&str; INPUTS],
    ) -> Result<Self, LoadError> {
        let refused =
            |source: Box<dyn std::error::Error + Send + Sync>| LoadError::Network { name, source };
        // What the exporter writes, so that the linker may leave out the rest.
        let operators = op_registry!(
            Add,
            Cast,
            Concat,
            ConstantOfShape,
            DequantizeLinear,
            Div,
            DynamicQuantizeLinear,
            Equal,
            Erf,
            Expand,
            Gather,
            GatherElements,
            Gemm,
            Greater,
            Identity,
            LayerNormalization,
            MatMul,
            MatMulInteger,
            Mul,
            Reshape,
            Shape,
            Slice,
            Softmax,
            Transpose,
            Unsqueeze,
            Where
        );
        let mut options = ModelOptions::with_ops(operators);
        // Packing int8 weights once makes every run more than twice as fast.
        options.prepack_weights(true);
        match weights {
            Some((name, Cow::Borrowed(bytes))) => options.external_data_static(name, bytes),
            Some((name, Cow::Owned(bytes))) => options.external_data(name, bytes),
            None => &mut options,
        };
        let model = match bytes {
            Cow::Borrowed(bytes) => options.load_static_slice(bytes),
            Cow::Owned(bytes) => options.load(bytes),
        };
        let model = model.map_err(|error| refused(error.into()))?;
        let node = |name: &str| model.node_id(name).map_err(|error| refused(error.into()));
        let mut ids = Vec::with_capacity(INPUTS);
        for input in inputs {
            ids.push(node(input)?);
        }
        let inputs =
            ids.try_into().map_err(|_| refused("its inputs are not those named".into()))?;
        let output = node("out")?;
        Ok(Self { name, model, inputs, output })
    }

    /// How many numbers a row of the first input has, where the network says so.
    pub(crate) fn width(&self) -> Option<usize> {
        match self.model.node_info(self.inputs[0])?.shape()?.last()? {
            Dimension::Fixed(width) => Some(*width),
            Dimension::Symbolic(_) => None,
        }
    }

    /// Runs the network and returns its output, flat.
    ///
    /// - `expected`: how many numbers that must be.
    pub(crate) fn run(
        &self,
        inputs: [Value; INPUTS],
        expected: usize,
        threads: &Threads,
    ) -> Result<Vec<f32>, RunError> {
        let numbers = self.run_any(inputs, threads)?;
        if numbers.len() != expected {
            return Err(RunError::Shape { name: self.name, found: numbers.len(), expected });
        }
        Ok(numbers)
    }

    /// The same, however many numbers come out.
    pub(crate) fn run_any(
        &self,
        inputs: [Value; INPUTS],
        threads: &Threads,
    ) -> Result<Vec<f32>, RunError> {
        let inputs = self.inputs.iter().copied().zip(inputs.map(Into::into)).collect();
        let [output] = threads
            .lend(|options| self.model.run_n(inputs, [self.output], Some(options)))
            .map_err(|error| RunError::runtime(self.name, error))?;
        let tensor = output.into_tensor::<f32>();
        let tensor =
            tensor.ok_or_else(|| RunError::runtime(self.name, "its output is not of floats"))?;
        Ok(tensor.into_data())
    }

    /// A matrix with rows of `width` numbers, for an input of this network.
    pub(crate) fn rows<T>(&self, numbers: Vec<T>, width: usize) -> Result<Value, RunError>
    where
        Value: From<Tensor<T>>,
    {
        let shape = [numbers.len() / width.max(1), width];
        Value::from_shape(shape, numbers).map_err(|error| RunError::runtime(self.name, error))
    }

    /// Vectors as the rows of a matrix, for an input of this network.
    pub(crate) fn vectors<'v>(
        &self,
        width: usize,
        vectors: impl Iterator<Item = &'v [f32]>,
    ) -> Result<Value, RunError> {
        let mut numbers = Vec::new();
        for vector in vectors {
            if vector.len() != width {
                let (name, found) = (self.name, vector.len());
                return Err(RunError::Width { name, found, expected: width });
            }
            numbers.extend_from_slice(vector);
        }
        self.rows(numbers, width)
    }

    /// A list, for an input of this network.
    pub(crate) fn list(&self, numbers: Vec<i32>) -> Result<Value, RunError> {
        let shape = [numbers.len()];
        Value::from_shape(shape, numbers).map_err(|error| RunError::runtime(self.name, error))
    }
}

/// Threads that run networks, one for each caller at a time.
///
/// The runtime's own pool would spread each small batch over all cores while the engine's workers
/// already keep those busy; a pool of one thread for all would make the workers wait.
#[derive(Default)]
pub(crate) struct Threads {
    free: Mutex<Vec<Arc<ThreadPool>>>,
}

impl Threads {
    fn lend<R>(&self, run: impl FnOnce(RunOptions) -> R) -> R {
        let taken = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let thread = taken.unwrap_or_else(|| Arc::new(ThreadPool::with_num_threads(1)));
        let result = run(RunOptions::default().with_thread_pool(Some(Arc::clone(&thread))));
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        result
    }
}
