/* See neuron_type.h. */
#define NO_IMPORT_ARRAY
#include "neuron_type.h"

#include <structmember.h>

/* Chosen at import, and constant from then on. */
static const snnc_isa *steps_isa;

/* The base of the neuron classes: what a step reads of a neuron, so that the common
 * step needs no Python function. */
typedef struct {
#ifndef Py_TARGET_ABI3T
    PyObject_HEAD
#endif
    PyObject *configuration; /* that the next two are a part of */
    PyObject *cell;          /* what core_cell returned */
    PyObject *held;          /* the states that the neuron holds, or None */
    char indirect;           /* whether every call is left to Python */
} neuron;

/* Where objects are opaque (PEP 803), Python places the struct behind what the base of
 * the class needs, and tells where (PEP 697): that is a call a step, so only there. The
 * class is the last one made; all are laid out alike. */
#ifdef Py_TARGET_ABI3T
static PyTypeObject *neuron_class;
#define NEURON_SIZE (-(int)sizeof(neuron))
#define NEURON_MEMBER(name) offsetof(neuron, name), Py_RELATIVE_OFFSET
#define NEURON(self) ((neuron *)PyObject_GetTypeData(self, neuron_class))
#define NEURON_IN_GC(self) ((neuron *)PyObject_GetTypeData_DuringGC(self, neuron_class))
#else
#define NEURON_SIZE ((int)sizeof(neuron))
#define NEURON_MEMBER(name) offsetof(neuron, name), 0
#define NEURON(self) ((neuron *)(self))
#define NEURON_IN_GC(self) NEURON(self)
#endif

/* Names of Python's, made once. */
static PyObject *name_out, *name_call, *name_missing;

/* neuron(input_, *states, out=None): a plain step here, all else in the method _call.
 */
static PyObject *neuron_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    const neuron *n = NEURON(self);
    const Py_ssize_t nargs = PyTuple_Size(args);
    PyObject *out = Py_None, *operands[1 + SNNC_MAX_STATES];

    if (kwargs && PyDict_Size(kwargs) == 1) {
        out = PyDict_GetItemWithError(kwargs, name_out);
        if (!out && PyErr_Occurred())
            return NULL;
    }
    else if (kwargs && PyDict_Size(kwargs) > 1)
        out = NULL;
    if (n->cell && n->held == Py_None && !n->indirect && nargs > 1 &&
        nargs <= 1 + SNNC_MAX_STATES && out) {
        for (Py_ssize_t i = 0; i < nargs; i++)
            operands[i] = PyTuple_GetItem(args, i);
        PyObject *cell, *result; /* a cell may be replaced in the meantime */
        LOCK(self);
        cell = n->cell;
        Py_INCREF(cell);
        UNLOCK();
        result =
            fast_step(steps_isa, cell, operands[0], operands + 1, (int)nargs - 1, out);
        Py_DECREF(cell);
        if (result || PyErr_Occurred())
            return result;
    }
    PyObject *method = PyObject_GetAttr(self, name_call);
    PyObject *result = method ? PyObject_Call(method, args, kwargs) : NULL;
    Py_XDECREF(method);
    return result;
}

/* An attribute; where there is none, the method _missing says what to write instead. (A
 * __getattr__ of Python's would make all attributes slower, thrice as much as this.) */
static PyObject *neuron_getattro(PyObject *self, PyObject *name)
{
    PyObject *value = PyObject_GenericGetAttr(self, name), *method;

    if (value || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return value;
    PyErr_Clear();
    method = PyObject_GenericGetAttr(self, name_missing);
    if (method)
        value = PyObject_CallFunctionObjArgs(method, name, NULL);
    Py_XDECREF(method);
    return value;
}

/* _set(configuration, cell, indirect, held): all at once, and nothing can fail. */
static PyObject *neuron_set(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    neuron *const n = NEURON(self);
    PyObject **const slots[] = {&n->configuration, &n->cell, &n->held}, *old[3];

    if (nargs != 4)
        return PyErr_Format(PyExc_TypeError, "_set takes 4 arguments (%zd given)",
                            nargs);
    PyObject *const new[] = {args[0], args[1], args[3]};
    LOCK(self);
    for (int i = 0; i < 3; i++) {
        Py_INCREF(new[i]);
        old[i] = *slots[i];
        *slots[i] = new[i];
    }
    n->indirect = args[2] == Py_True;
    UNLOCK();
    for (int i = 0; i < 3; i++)
        Py_XDECREF(old[i]);
    Py_RETURN_NONE;
}

static int neuron_traverse(PyObject *self, visitproc visit, void *arg)
{
    const neuron *n = NEURON_IN_GC(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(n->configuration);
    Py_VISIT(n->cell);
    Py_VISIT(n->held);
    return 0;
}

static int neuron_clear(PyObject *self)
{
    neuron *const n = NEURON(self);
    Py_CLEAR(n->configuration);
    Py_CLEAR(n->cell);
    Py_CLEAR(n->held);
    return 0;
}

static void neuron_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    PyObject_GC_UnTrack(self);
    neuron_clear(self);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef neuron_methods[] = {
    {"_set", (PyCFunction)(void (*)(void))neuron_set, METH_FASTCALL,
     PyDoc_STR("_set(configuration, cell, indirect, held, /)")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef neuron_members[] = {
    {"_configuration", T_OBJECT_EX, NEURON_MEMBER(configuration), NULL},
    {"_cell", T_OBJECT, NEURON_MEMBER(cell), NULL},
    {"_held", T_OBJECT, NEURON_MEMBER(held), NULL},
    {"_indirect", T_BOOL, NEURON_MEMBER(indirect), NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot neuron_slots[] = {
    {Py_tp_doc, "What a step reads of a neuron; called, it does a step."},
    {Py_tp_call, neuron_call},
    {Py_tp_getattro, neuron_getattro},
    {Py_tp_traverse, neuron_traverse},
    {Py_tp_clear, neuron_clear},
    {Py_tp_dealloc, neuron_dealloc},
    {Py_tp_methods, neuron_methods},
    {Py_tp_members, neuron_members},
    {0, NULL},
};

static PyType_Spec neuron_spec = {
    .name = "snnc._core.Neuron",
    .basicsize = NEURON_SIZE,
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = neuron_slots,
};

/* Once in a process: a second import that fails leaves the first one's names. */
static int intern(PyObject **name, const char *text)
{
    if (!*name)
        *name = PyUnicode_InternFromString(text);
    return *name ? 0 : -1;
}

PyObject *neuron_type(PyObject *module, const snnc_isa *isa)
{
    steps_isa = isa;
    if (intern(&name_out, "out") < 0 || intern(&name_call, "_call") < 0 ||
        intern(&name_missing, "_missing") < 0)
        return NULL;
    PyObject *class = PyType_FromModuleAndSpec(module, &neuron_spec, NULL);
#ifdef Py_TARGET_ABI3T
    if (class) {
        Py_XDECREF((PyObject *)neuron_class);
        neuron_class = (PyTypeObject *)Py_NewRef(class);
    }
#endif
    return class;
}
